package oracle

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

const (
	slicePrefix = "linkerd-external-"
	// longestGenerateName is the maximum length of a generateName's prefix in a name.
	longestGenerateName = 58
)

// compareMetadata reports the differences of a slice other than in its endpoints.
func compareMetadata(rules Rules, service types.NamespacedName, want *ServicePublication, slice *discoveryv1.EndpointSlice, report func(string, ...any)) {
	prefix := slicePrefix + service.Name + "-"
	if len(prefix) > longestGenerateName {
		prefix = prefix[:longestGenerateName]
	}
	if !strings.HasPrefix(slice.Name, prefix) {
		report("name does not begin with %s", prefix)
	}
	if !maps.Equal(want.Labels, slice.Labels) {
		report("labels: want %v, have %v", want.Labels, slice.Labels)
	}
	if problem := ownerProblem(service, want.UID, slice); problem != "" {
		report("owner: %s", problem)
	}
	if len(slice.Endpoints) == 0 {
		report("is empty")
	}
	if len(slice.Endpoints) > rules.MaxEndpoints {
		report("has %d endpoints, the limit is %d", len(slice.Endpoints), rules.MaxEndpoints)
	}
	if slice.DeletionTimestamp != nil {
		report("is being deleted")
	}
}

func ownerProblem(service types.NamespacedName, uid types.UID, slice *discoveryv1.EndpointSlice) string {
	owner := metav1.GetControllerOfNoCopy(slice)
	switch {
	case owner == nil:
		return "none is its controller"
	case owner.APIVersion != "v1" || owner.Kind != "Service" || owner.Name != service.Name:
		return fmt.Sprintf("%s %s %s is not the Service", owner.APIVersion, owner.Kind, owner.Name)
	case owner.UID != uid:
		return fmt.Sprintf("UID %s, the Service has %s", owner.UID, uid)
	case owner.BlockOwnerDeletion == nil || !*owner.BlockOwnerDeletion:
		return "blockOwnerDeletion is not set"
	default:
		return ""
	}
}

// readEndpoint converts a published endpoint for the comparison, and reports fields that no
// endpoint may have.
func readEndpoint(published *discoveryv1.Endpoint) (Endpoint, []string) {
	var problems []string
	endpoint := Endpoint{TargetRef: targetRefText(published.TargetRef)}
	if published.TargetRef != nil {
		endpoint.Workload = published.TargetRef.Name
	}
	if len(published.Addresses) != 1 {
		problems = append(problems, fmt.Sprintf("has %d addresses, must have 1", len(published.Addresses)))
	}
	endpoint.Address = strings.Join(published.Addresses, ",")
	conditions := []struct {
		name  string
		value *bool
		into  *bool
	}{
		{"ready", published.Conditions.Ready, &endpoint.Ready},
		{"serving", published.Conditions.Serving, &endpoint.Serving},
		{"terminating", published.Conditions.Terminating, &endpoint.Terminating},
	}
	for _, condition := range conditions {
		if condition.value == nil {
			problems = append(problems, condition.name+" is not set")
			continue
		}
		*condition.into = *condition.value
	}
	if published.Zone != nil {
		endpoint.Zone = *published.Zone
	}
	if published.Hostname != nil {
		endpoint.Hostname = *published.Hostname
	}
	endpoint.Hint = hintText(published.Hints)
	if published.NodeName != nil || len(published.DeprecatedTopology) > 0 {
		problems = append(problems, "has a node name or the deprecated topology")
	}
	return endpoint, problems
}

func hintText(hints *discoveryv1.EndpointHints) string {
	if hints == nil {
		return ""
	}
	var texts []string
	for _, zone := range hints.ForZones {
		texts = append(texts, zone.Name)
	}
	for _, node := range hints.ForNodes {
		texts = append(texts, "node "+node.Name)
	}
	slices.Sort(texts)
	return strings.Join(texts, ",")
}
