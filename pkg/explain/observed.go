package explain

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	discoveryv1 "k8s.io/api/discovery/v1"
)

// Observed are settings of the controller as its slices show them. Empty and zero
// values are unknown.
type Observed struct {
	// ManagedBy is the manager of most endpoints that refer to workloads.
	ManagedBy string
	// MaxEndpoints is the largest number of endpoints in one of its slices.
	MaxEndpoints int
	// SecondFamilyWithheld is true if workloads are ready only in the first family of a
	// Service.
	SecondFamilyWithheld bool
}

// Observe derives the controller's settings from the slices that it wrote.
func Observe(published []*discoveryv1.EndpointSlice) Observed {
	endpoints := managers(published)
	var observed Observed
	for _, manager := range slices.Sorted(maps.Keys(endpoints)) {
		if observed.ManagedBy == "" || endpoints[manager] > endpoints[observed.ManagedBy] {
			observed.ManagedBy = manager
		}
	}
	first, second := map[string]bool{}, map[string]bool{}
	for _, slice := range published {
		if slice.Labels[discoveryv1.LabelManagedBy] != observed.ManagedBy || !hasWorkloads(slice) {
			continue
		}
		observed.MaxEndpoints = max(observed.MaxEndpoints, len(slice.Endpoints))
		for i := range slice.Endpoints {
			e := &slice.Endpoints[i]
			if e.TargetRef == nil {
				continue
			}
			key := strings.Join([]string{slice.Namespace, slice.Labels[discoveryv1.LabelServiceName], e.TargetRef.Name}, "/")
			ready := e.Conditions.Ready == nil || *e.Conditions.Ready
			serving := e.Conditions.Serving == nil || *e.Conditions.Serving
			terminating := e.Conditions.Terminating != nil && *e.Conditions.Terminating
			if ready {
				first[key] = true
			} else if serving && !terminating {
				second[key] = true
			}
		}
	}
	for key := range second {
		observed.SecondFamilyWithheld = observed.SecondFamilyWithheld || first[key]
	}
	return observed
}

// managers counts the workload endpoints of each manager of slices.
func managers(published []*discoveryv1.EndpointSlice) map[string]int {
	endpoints := map[string]int{}
	for _, slice := range published {
		if manager := slice.Labels[discoveryv1.LabelManagedBy]; manager != "" && hasWorkloads(slice) {
			endpoints[manager] += len(slice.Endpoints)
		}
	}
	return endpoints
}

func hasWorkloads(slice *discoveryv1.EndpointSlice) bool {
	return slices.ContainsFunc(slice.Endpoints, func(e discoveryv1.Endpoint) bool {
		return e.TargetRef != nil && e.TargetRef.Kind == "ExternalWorkload"
	})
}

// findContradictions describes where the slices contradict the options.
func (n *Namespace) findContradictions() []string {
	var found []string
	others := map[string]int{}
	for _, list := range n.foreign {
		for manager, count := range managers(list) {
			others[manager] += count
		}
	}
	for _, manager := range slices.Sorted(maps.Keys(others)) {
		found = append(found, fmt.Sprintf("%d endpoints of workloads are in slices managed by %s, not by %s; give --managed-by=%s if that is your controller", others[manager], manager, n.options.ManagedBy, manager))
	}
	for _, service := range slices.Sorted(maps.Keys(n.slices)) {
		for _, slice := range n.slices[service] {
			if n.options.MaxEndpoints > 0 && len(slice.Endpoints) > n.options.MaxEndpoints {
				found = append(found, fmt.Sprintf("slice %s has %d endpoints, more than the %d of --max-endpoints-per-slice", slice.Name, len(slice.Endpoints), n.options.MaxEndpoints))
			}
		}
	}
	return found
}
