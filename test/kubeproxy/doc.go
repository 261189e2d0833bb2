// Package kubeproxy plays random histories of a Service with kube-proxy's own code: its
// cache of slices and its choice of endpoints, on a node with a zone and on one without. It
// checks the chosen endpoints after every write. internal/plantest/consumers has a model of
// kube-proxy that is fast enough for a million steps; both must agree after each write.
//
// It is a separate module, so that the program does not depend on k8s.io/kubernetes.
package kubeproxy
