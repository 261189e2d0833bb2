// Package validation checks the planner's writes with Kubernetes' own validation,
// starting from slices that an older API server accepted.
//
// It is a separate module, so that the program does not depend on k8s.io/kubernetes.
package validation
