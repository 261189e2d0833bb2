package explain

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// checkSelector reports whether a Service selects a workload.
func checkSelector(service *corev1.Service, object *v1beta1.ExternalWorkload) Check {
	check := Check{Name: CheckSelector, Result: OK, Detail: selectorText(service) + " matches"}
	if problem := unpublished(service); problem != "" {
		check.Result, check.Reason, check.Detail = No, "ServiceWithoutEndpoints", problem
		check.Fix = "give Service " + service.Name + " a selector and a type other than ExternalName"
		return check
	}
	differing := differingLabels(service.Spec.Selector, object.Labels)
	if len(differing) == 0 {
		return check
	}
	var details, fixes []string
	for _, key := range differing {
		want := service.Spec.Selector[key]
		fixes = append(fixes, key+"="+want)
		if have, given := object.Labels[key]; given {
			details = append(details, fmt.Sprintf("label %s is %q, the selector wants %q", key, have, want))
		} else {
			details = append(details, fmt.Sprintf("label %s is missing, the selector wants %q", key, want))
		}
	}
	check.Result, check.Reason, check.Detail = No, "NotSelected", strings.Join(details, "; ")
	check.Fix = fmt.Sprintf("kubectl label externalworkload %s -n %s --overwrite %s", object.Name, object.Namespace, strings.Join(fixes, " "))
	return check
}

// unpublished returns the reason why no endpoints are published for a Service, or an
// empty text.
func unpublished(service *corev1.Service) string {
	switch {
	case service.Spec.Type == corev1.ServiceTypeExternalName:
		return "the Service is of type ExternalName, which has no endpoints"
	case len(service.Spec.Selector) == 0:
		return "the Service has no selector"
	}
	return ""
}

// differingLabels returns the keys of a selector that labels do not match.
func differingLabels(selector, labels map[string]string) []string {
	var differing []string
	for _, key := range slices.Sorted(maps.Keys(selector)) {
		if have, given := labels[key]; !given || have != selector[key] {
			differing = append(differing, key)
		}
	}
	return differing
}

// nearest returns the Service whose selector differs least from the labels and, among
// these, matches most of them. If no Service has endpoints, it returns one that selects
// the labels but is of type ExternalName; nil if there is none.
func (n *Namespace) nearest(labels map[string]string) *corev1.Service {
	var best, externalName *corev1.Service
	fewest, most := 0, 0
	for _, service := range n.services {
		differing := len(differingLabels(service.Spec.Selector, labels))
		if unpublished(service) != "" {
			if externalName == nil && len(service.Spec.Selector) > 0 && differing == 0 {
				externalName = service
			}
			continue
		}
		common := len(service.Spec.Selector) - differing
		if best == nil || differing < fewest || differing == fewest && common > most {
			best, fewest, most = service, differing, common
		}
	}
	if best == nil {
		return externalName
	}
	return best
}

func selectorText(service *corev1.Service) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(service.Spec.Selector)) {
		parts = append(parts, key+"="+service.Spec.Selector[key])
	}
	return strings.Join(parts, ",")
}
