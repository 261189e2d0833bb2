// Package validation has the validation of Kubernetes itself judge every write of
// the planner that starts from a slice which an older API server accepted.
//
// It is a module of its own, since k8s.io/kubernetes is no dependency of the
// program.
package validation
