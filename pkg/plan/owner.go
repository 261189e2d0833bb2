package plan

import (
	"strings"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// ServiceOf returns the Service that a slice belongs to: the one that owns it, or
// if none does, the one that its label names. A managed slice that says neither
// belongs to the Service without name, which never exists, and so it goes. A
// slice whose managed-by label is absent or empty is ours only if a Service owns
// it and it is named as ours are.
func ServiceOf(slice *discoveryv1.EndpointSlice) (service types.NamespacedName, ours bool) {
	managed := slice.Labels[discoveryv1.LabelManagedBy] != ""
	owner := metav1.GetControllerOfNoCopy(slice)
	if owner != nil && owner.Kind == "Service" {
		service = types.NamespacedName{Namespace: slice.Namespace, Name: owner.Name}
		return service, managed || strings.HasPrefix(slice.Name, NamePrefix)
	}
	return types.NamespacedName{Namespace: slice.Namespace, Name: slice.Labels[discoveryv1.LabelServiceName]}, managed
}

// Selectors returns the label selectors of the slices that may be ours: those with our
// managed-by label, those without the label, and those with an empty one.
func Selectors(managedBy string) []string {
	return []string{discoveryv1.LabelManagedBy + "=" + managedBy, "!" + discoveryv1.LabelManagedBy, discoveryv1.LabelManagedBy + "="}
}
