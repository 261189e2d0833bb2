package oracle

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Difference is a difference between the actual and the desired slices.
type Difference struct {
	Service types.NamespacedName
	// Slice is the slice's name if the difference is within one slice.
	Slice string
	// Text describes the difference, with the desired and the actual value.
	Text string
}

// String returns the difference as one line.
func (d Difference) String() string {
	if d.Slice == "" {
		return fmt.Sprintf("Service %s: %s", d.Service, d.Text)
	}
	return fmt.Sprintf("Service %s, slice %s: %s", d.Service, d.Slice, d.Text)
}

// Text returns the differences as lines, for a failing test.
func Text(differences []Difference) string {
	lines := make([]string, 0, len(differences))
	for _, difference := range differences {
		lines = append(lines, difference.String())
	}
	return strings.Join(lines, "\n")
}

// Compare returns the differences between the desired and the actual slices, in a stable
// order. It ignores slices of other managers.
func Compare(rules Rules, want Publication, have []discoveryv1.EndpointSlice) []Difference {
	rules = rules.withDefaults()
	var differences []Difference
	ours := map[types.NamespacedName][]*discoveryv1.EndpointSlice{}
	for i := range have {
		slice := &have[i]
		service := types.NamespacedName{Namespace: slice.Namespace, Name: slice.Labels[discoveryv1.LabelServiceName]}
		manager, managed := slice.Labels[discoveryv1.LabelManagedBy]
		switch {
		case manager == rules.ManagedBy:
			ours[service] = append(ours[service], slice)
		case !managed && ownerExists(want, slice):
			differences = append(differences, Difference{Service: service, Slice: slice.Name,
				Text: "was published by the controller and has lost its managed-by label"})
		}
	}
	for service, published := range want {
		differences = append(differences, compareService(rules, service, published, ours[service])...)
	}
	for service, left := range ours {
		if want[service] != nil {
			continue
		}
		for _, slice := range left {
			differences = append(differences, Difference{Service: service, Slice: slice.Name,
				Text: "exists although its Service is gone, has no selector or is of type ExternalName"})
		}
	}
	slices.SortFunc(differences, func(a, b Difference) int { return cmp.Compare(a.String(), b.String()) })
	return differences
}

// ownerExists reports whether the controller made a slice without a manager for a Service
// that still exists and has slices. Otherwise the garbage collector deletes the slice.
func ownerExists(want Publication, slice *discoveryv1.EndpointSlice) bool {
	owner := metav1.GetControllerOfNoCopy(slice)
	if owner == nil || !strings.HasPrefix(slice.Name, slicePrefix) {
		return false
	}
	published := want[types.NamespacedName{Namespace: slice.Namespace, Name: owner.Name}]
	return published != nil && published.UID == owner.UID
}

func compareService(rules Rules, service types.NamespacedName, want *ServicePublication, have []*discoveryv1.EndpointSlice) []Difference {
	var differences []Difference
	found := map[GroupKey]map[string]Endpoint{}
	for _, slice := range have {
		report := func(format string, arguments ...any) {
			differences = append(differences, Difference{Service: service, Slice: slice.Name, Text: fmt.Sprintf(format, arguments...)})
		}
		compareMetadata(rules, service, want, slice, report)
		group := GroupKey{Family: slice.AddressType, Ports: portSetOfSlice(slice.Ports)}
		if len(slice.Endpoints) > 0 && len(want.Groups[group]) == 0 {
			report("no endpoint of the Service has family and ports %s", group)
		}
		if found[group] == nil {
			found[group] = map[string]Endpoint{}
		}
		for i := range slice.Endpoints {
			endpoint, problems := readEndpoint(&slice.Endpoints[i])
			for _, problem := range problems {
				report("endpoint %d (%s): %s", i, endpoint.Workload, problem)
			}
			if _, twice := found[group][endpoint.Workload]; twice {
				report("endpoint %s is published twice", endpoint.Workload)
			}
			found[group][endpoint.Workload] = endpoint
		}
	}
	return append(differences, compareGroups(service, want, found)...)
}

func compareGroups(service types.NamespacedName, want *ServicePublication, found map[GroupKey]map[string]Endpoint) []Difference {
	var differences []Difference
	report := func(format string, arguments ...any) {
		differences = append(differences, Difference{Service: service, Text: fmt.Sprintf(format, arguments...)})
	}
	for group, endpoints := range want.Groups {
		for name, endpoint := range endpoints {
			have, ok := found[group][name]
			switch {
			case !ok:
				report("%s: endpoint %s is missing", group, name)
			case have != endpoint:
				report("%s: endpoint %s\n    want %+v\n    have %+v", group, name, endpoint, have)
			}
		}
	}
	for group, endpoints := range found {
		for name, endpoint := range endpoints {
			if _, ok := want.Groups[group][name]; !ok {
				report("%s: endpoint %s must not be published%s\n    have %+v", group, name, reasonFor(want, name, group.Family), endpoint)
			}
		}
	}
	return differences
}

func reasonFor(want *ServicePublication, workload string, family discoveryv1.AddressType) string {
	for _, skip := range want.Skipped {
		if skip.Workload == workload && skip.Family == family {
			return ": " + string(skip.Reason)
		}
	}
	return ""
}
