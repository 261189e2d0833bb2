// Package kubelet compares our probes with kubelet's: both probe the same servers, and
// every intended difference has a row in docs/readiness.md.
//
// It is a separate module, so that the program does not depend on k8s.io/kubernetes.
package kubelet
