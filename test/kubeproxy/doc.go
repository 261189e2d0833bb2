// Package kubeproxy plays random histories of a Service and judges every write
// by what kube-proxy's own code routes to: its cache of slices and its choice of
// endpoints, on a node in a zone and on one in none. Package
// internal/plantest/consumers has a model of the same that a million steps can
// afford; both must agree after each write.
//
// It is a module of its own, since k8s.io/kubernetes is no dependency of the
// program.
package kubeproxy
