package oracle

import (
	"fmt"
	"regexp"
	"sort"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

var dnsLabel = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// Compute returns the desired state of these Services and workloads. It does not change its
// arguments.
func Compute(rules Rules, services []corev1.Service, workloads []v1beta1.ExternalWorkload) Publication {
	rules = rules.withDefaults()
	publication := Publication{}
	for i := range services {
		service := &services[i]
		if computed := computeService(rules, service, workloads); computed != nil {
			publication[types.NamespacedName{Namespace: service.Namespace, Name: service.Name}] = computed
		}
	}
	return publication
}

// computeService returns nil for a Service that must have no slices.
func computeService(rules Rules, service *corev1.Service, workloads []v1beta1.ExternalWorkload) *ServicePublication {
	if service.Spec.Type == corev1.ServiceTypeExternalName || len(service.Spec.Selector) == 0 {
		return nil
	}
	computed := &ServicePublication{
		UID:    service.UID,
		Labels: labelsFor(rules, service),
		Groups: map[GroupKey]map[string]Endpoint{},
	}
	selected := selectedBy(service, workloads)
	for _, family := range familiesOf(service) {
		ready := func(workload *v1beta1.ExternalWorkload) bool { return isReady(rules, workload, family) }
		sort.SliceStable(selected, func(i, j int) bool { return goesFirst(selected[i], selected[j], ready) })
		computeFamily(computed, service, family, selected, ready)
	}
	return computed
}

// computeFamily publishes the workloads in the given order. It skips a workload if an earlier
// one has its address and port.
func computeFamily(into *ServicePublication, service *corev1.Service, family discoveryv1.AddressType, selected []*v1beta1.ExternalWorkload, ready func(*v1beta1.ExternalWorkload) bool) {
	taken := map[string]bool{}
	for _, workload := range selected {
		skip := func(reason Reason) {
			into.Skipped = append(into.Skipped, Skip{Workload: workload.Name, Family: family, Reason: reason})
		}
		address, reason := addressIn(workload, family)
		if reason != "" {
			skip(reason)
			continue
		}
		ports := portsOf(service, workload)
		if len(ports) == 0 && len(service.Spec.Ports) > 0 {
			skip(NoPort)
			continue
		}
		claims := claimsOf(address, ports)
		if anyTaken(taken, claims) {
			skip(DuplicateAddress)
			continue
		}
		for _, claim := range claims {
			taken[claim] = true
		}
		group := GroupKey{Family: family, Ports: portSet(ports)}
		if into.Groups[group] == nil {
			into.Groups[group] = map[string]Endpoint{}
		}
		into.Groups[group][workload.Name] = endpointFor(service, workload, address, ready(workload))
	}
}

// claimsOf returns the address and port pairs that only one workload of a Service
// may have. A Service without ports publishes addresses alone.
func claimsOf(address string, ports []port) []string {
	if len(ports) == 0 {
		return []string{address}
	}
	var claims []string
	for _, p := range ports {
		claims = append(claims, fmt.Sprintf("%s %d/%s", address, p.number, p.protocol))
	}
	return claims
}

func anyTaken(taken map[string]bool, claims []string) bool {
	for _, claim := range claims {
		if taken[claim] {
			return true
		}
	}
	return false
}

func selectedBy(service *corev1.Service, workloads []v1beta1.ExternalWorkload) []*v1beta1.ExternalWorkload {
	var selected []*v1beta1.ExternalWorkload
	for i := range workloads {
		workload := &workloads[i]
		if workload.Namespace != service.Namespace {
			continue
		}
		matches := true
		for key, value := range service.Spec.Selector {
			has, ok := workload.Labels[key]
			if !ok || has != value {
				matches = false
			}
		}
		if matches {
			selected = append(selected, workload)
		}
	}
	return selected
}

// goesFirst reports whether a is published rather than b if only one can be.
func goesFirst(a, b *v1beta1.ExternalWorkload, ready func(*v1beta1.ExternalWorkload) bool) bool {
	aUsable := ready(a) && !isTerminating(a)
	bUsable := ready(b) && !isTerminating(b)
	if aUsable != bUsable {
		return aUsable
	}
	if !a.CreationTimestamp.Time.Equal(b.CreationTimestamp.Time) {
		return a.CreationTimestamp.Time.Before(b.CreationTimestamp.Time)
	}
	return a.Name < b.Name
}

// isTerminating reports whether a workload is being deleted or has a non-empty drain
// annotation.
func isTerminating(workload *v1beta1.ExternalWorkload) bool {
	return workload.DeletionTimestamp != nil || workload.Annotations["external-workload.io/drain"] != ""
}

func familiesOf(service *corev1.Service) []discoveryv1.AddressType {
	if len(service.Spec.IPFamilies) == 0 {
		return []discoveryv1.AddressType{discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv6}
	}
	var families []discoveryv1.AddressType
	for _, family := range service.Spec.IPFamilies {
		families = append(families, discoveryv1.AddressType(family))
	}
	return families
}

func isHeadless(service *corev1.Service) bool { return service.Spec.ClusterIP == corev1.ClusterIPNone }

func labelsFor(rules Rules, service *corev1.Service) map[string]string {
	labels := map[string]string{}
	for key, value := range service.Labels {
		labels[key] = value
	}
	delete(labels, corev1.IsHeadlessService)
	if isHeadless(service) {
		labels[corev1.IsHeadlessService] = ""
	}
	labels[discoveryv1.LabelServiceName] = service.Name
	labels[discoveryv1.LabelManagedBy] = rules.ManagedBy
	return labels
}

func endpointFor(service *corev1.Service, workload *v1beta1.ExternalWorkload, address string, ready bool) Endpoint {
	terminating := isTerminating(workload)
	endpoint := Endpoint{
		Workload:    workload.Name,
		Address:     address,
		Serving:     ready,
		Terminating: terminating,
		Ready:       (ready && !terminating) || service.Spec.PublishNotReadyAddresses,
		Zone:        workload.Labels[corev1.LabelTopologyZone],
		TargetRef: targetRefText(&corev1.ObjectReference{
			Kind: "ExternalWorkload", Namespace: workload.Namespace, Name: workload.Name, UID: workload.UID,
		}),
	}
	if endpoint.Ready {
		endpoint.Hint = hintFor(service, endpoint.Zone)
	}
	if isHeadless(service) && dnsLabel.MatchString(workload.Name) {
		endpoint.Hostname = workload.Name
	}
	return endpoint
}

// hintFor returns the hint of a ready endpoint in a zone, as hintText gives it.
func hintFor(service *corev1.Service, zone string) string {
	if service.Spec.TrafficDistribution == nil {
		return ""
	}
	hints := &discoveryv1.EndpointHints{}
	switch *service.Spec.TrafficDistribution {
	case "PreferSameNode":
		hints.ForNodes = []discoveryv1.ForNode{{Name: "external-workload.invalid"}}
	case "PreferClose", "PreferSameZone":
	default:
		return ""
	}
	if zone != "" {
		hints.ForZones = []discoveryv1.ForZone{{Name: zone}}
	}
	return hintText(hints)
}
