package chart

import "testing"

func TestThePolicyIsRenderedInTheNewestVersionThatTheClusterHas(t *testing.T) {
	for name, versions := range map[string][]string{
		"v1":       {"v1alpha1", "v1beta1", "v1"},
		"v1beta1":  {"v1alpha1", "v1beta1"},
		"v1alpha1": {"v1alpha1"},
	} {
		t.Run(name, func(t *testing.T) {
			var args []string
			for _, version := range versions {
				for _, kind := range mutating {
					args = append(args, "--api-versions", "admissionregistration.k8s.io/"+version+"/"+kind)
				}
			}
			rendered := parse(t, render(t, args...))
			for _, kind := range mutating {
				if got, want := only(t, rendered, kind)["apiVersion"], "admissionregistration.k8s.io/"+name; got != want {
					t.Errorf("%s is rendered in %v, want %s", kind, got, want)
				}
			}
		})
	}
}
