// Package kubelet compares our probes with kubelet's: both probe the same servers, and
// every intended difference has a row in docs/readiness.md.
//
// It is a separate module, so that k8s.io/kubernetes is no dependency of the program.
package kubelet
