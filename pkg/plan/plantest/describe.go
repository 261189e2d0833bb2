package plantest

import (
	"fmt"
	"strings"

	discoveryv1 "k8s.io/api/discovery/v1"
)

// describe is a slice in one line.
func describe(slice *discoveryv1.EndpointSlice) string {
	if slice == nil {
		return "-"
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s %s [", slice.Name, slice.AddressType)
	for i, p := range slice.Ports {
		if i > 0 {
			text.WriteString(" ")
		}
		if p.Name == nil || p.Port == nil {
			text.WriteString("incomplete")
			continue
		}
		fmt.Fprintf(&text, "%s=%d", *p.Name, *p.Port)
	}
	text.WriteString("]")
	for i := range slice.Endpoints {
		e := &slice.Endpoints[i]
		name := "anonymous"
		if e.TargetRef != nil {
			name = e.TargetRef.Name + "/" + string(e.TargetRef.UID)
		}
		state := ""
		if e.Conditions.Ready != nil && !*e.Conditions.Ready {
			state = " not ready"
		}
		if e.Hints != nil {
			state += " hinted"
		}
		fmt.Fprintf(&text, " {%s %s%s}", name, strings.Join(e.Addresses, ","), state)
	}
	if len(slice.Annotations) > 0 {
		fmt.Fprintf(&text, " %v", slice.Annotations)
	}
	return text.String()
}
