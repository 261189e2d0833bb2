// Package kubelet holds our probes to kubelet's: the same servers are probed
// by both, and every difference that is meant has a row in docs/readiness.md.
//
// It is a module of its own, since k8s.io/kubernetes is no dependency of the
// program.
package kubelet
