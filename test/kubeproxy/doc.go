// Package kubeproxy checks the endpoints that kube-proxy's own code selects after every
// write of random histories of a Service: its cache of slices and its choice of
// endpoints, on a node with a zone and on one without. internal/plantest/consumers has
// a model of the same that is fast enough for a million steps; both must agree after
// each write.
//
// It is a separate module, so that k8s.io/kubernetes is no dependency of the program.
package kubeproxy
