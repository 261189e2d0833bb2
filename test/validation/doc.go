// Package validation checks the planner's writes with Kubernetes' own validation,
// starting from slices that an older API server accepted.
//
// It is a separate module, so that k8s.io/kubernetes is no dependency of the program.
package validation
