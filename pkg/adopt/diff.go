package adopt

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/external-workload/controller/pkg/plan"
)

// empty represents a slice that does not exist.
var empty = &discoveryv1.EndpointSlice{}

// diff describes what a write changes, in one line each: labels, owner, ports, and then
// endpoints by the names of their workloads, with the reason.
func diff(change Change) []string {
	before, after := change.Before, change.After
	if before == nil {
		before = empty
	}
	if after == nil {
		after = empty
	}
	lines := diffLabels(before.Labels, after.Labels)
	if was, is := ownerOf(before), ownerOf(after); was != is && after != empty {
		lines = append(lines, "owner: "+was+" -> "+is)
	}
	if was, is := portsOf(before), portsOf(after); was != is && after != empty {
		lines = append(lines, "ports: "+was+" -> "+is)
	}
	return append(lines, diffEndpoints(before.Endpoints, after.Endpoints, change.reasons)...)
}

// diffLabels describes how the labels change. It omits those of a slice that is created
// or deleted, because they follow from its Service.
func diffLabels(before, after map[string]string) []string {
	if before == nil || after == nil {
		return nil
	}
	var lines []string
	both := maps.Clone(before)
	maps.Copy(both, after)
	for _, key := range slices.Sorted(maps.Keys(both)) {
		was, had := before[key]
		is, has := after[key]
		switch {
		case !had:
			lines = append(lines, fmt.Sprintf("label + %s=%s", key, is))
		case !has:
			lines = append(lines, fmt.Sprintf("label - %s=%s", key, was))
		case was != is:
			lines = append(lines, fmt.Sprintf("label ~ %s=%s -> %s", key, was, is))
		}
	}
	return lines
}

func ownerOf(slice *discoveryv1.EndpointSlice) string {
	owner := metav1.GetControllerOfNoCopy(slice)
	if owner == nil {
		return "none"
	}
	return fmt.Sprintf("%s %s (%s)", owner.Kind, owner.Name, owner.UID)
}

// samePorts reports whether clients see the same ports in both slices.
func samePorts(a, b *discoveryv1.EndpointSlice) bool { return portsOf(a) == portsOf(b) }

func portsOf(slice *discoveryv1.EndpointSlice) string {
	if len(slice.Ports) == 0 {
		return "none"
	}
	var ports []string
	for _, port := range slice.Ports {
		number := "any"
		if port.Port != nil {
			number = strconv.Itoa(int(*port.Port))
		}
		text := fmt.Sprintf("%q %s/%s", ptr.Deref(port.Name, ""), number, ptr.Deref(port.Protocol, ""))
		if port.AppProtocol != nil {
			text += " " + *port.AppProtocol
		}
		ports = append(ports, text)
	}
	return strings.Join(ports, ", ")
}

// diffEndpoints describes which endpoints are added, removed and changed, and why.
func diffEndpoints(before, after []discoveryv1.Endpoint, reasons map[string]plan.Reason) []string {
	was, is := byWorkload(before), byWorkload(after)
	both := maps.Clone(was)
	maps.Copy(both, is)
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(both)) {
		old, now, why := was[name], is[name], ""
		if reason, known := reasons[name]; known {
			why = " (" + reason.String() + ")"
		}
		if len(old) == 1 && len(now) == 1 {
			if changes := diffFields(fieldsOf(old[0]), fieldsOf(now[0])); changes != "" {
				lines = append(lines, "~ "+name+": "+changes+why)
			}
			continue
		}
		if slices.EqualFunc(old, now, sameEndpoint) {
			continue
		}
		for _, e := range old {
			lines = append(lines, "- "+name+": "+fieldsOf(e).String()+why)
		}
		for _, e := range now {
			lines = append(lines, "+ "+name+": "+fieldsOf(e).String()+why)
		}
	}
	return lines
}

// byWorkload groups endpoints by the name of their workload, or of the other object
// that they refer to. In a slice that another program wrote, several may have the same
// name.
func byWorkload(endpoints []discoveryv1.Endpoint) map[string][]*discoveryv1.Endpoint {
	all := make(map[string][]*discoveryv1.Endpoint, len(endpoints))
	for i := range endpoints {
		name := "(no targetRef)"
		if ref := endpoints[i].TargetRef; ref != nil {
			name = ref.Name
		}
		all[name] = append(all[name], &endpoints[i])
	}
	return all
}

// unchanged counts the endpoints that are equal in both slices.
func unchanged(before, after *discoveryv1.EndpointSlice) (count int) {
	is := byWorkload(after.Endpoints)
	for name, old := range byWorkload(before.Endpoints) {
		if slices.EqualFunc(old, is[name], sameEndpoint) {
			count += len(old)
		}
	}
	return count
}

func sameEndpoint(a, b *discoveryv1.Endpoint) bool { return slices.Equal(fieldsOf(a), fieldsOf(b)) }
