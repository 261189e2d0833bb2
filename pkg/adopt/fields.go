package adopt

import (
	"fmt"
	"strings"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/utils/ptr"
)

// field is one property of an endpoint as text.
type field struct{ name, value string }

// fields are all properties of an endpoint, always the same in the same order.
type fields []field

// absent is the value of a property that an endpoint does not have.
const absent = "none"

func fieldsOf(e *discoveryv1.Endpoint) fields {
	all := fields{
		{"address", orAbsent(strings.Join(e.Addresses, "+"))},
		{"ready", boolOf(e.Conditions.Ready)},
		{"serving", boolOf(e.Conditions.Serving)},
		{"terminating", boolOf(e.Conditions.Terminating)},
		{"zone", orAbsent(ptr.Deref(e.Zone, ""))},
		{"hints", orAbsent(hintsOf(e))},
		{"hostname", orAbsent(ptr.Deref(e.Hostname, ""))},
		{"node", orAbsent(ptr.Deref(e.NodeName, ""))},
		{"kind", absent},
		{"uid", absent},
	}
	if ref := e.TargetRef; ref != nil {
		all[len(all)-2].value = orAbsent(strings.Trim(ref.APIVersion+"/"+ref.Kind, "/"))
		all[len(all)-1].value = orAbsent(string(ref.UID))
	}
	return all
}

// String lists the properties of an endpoint, without the references to its workload.
func (f fields) String() string {
	var parts []string
	for _, property := range f {
		switch {
		case property.value == absent, property.name == "kind", property.name == "uid", property.name == "terminating" && property.value == "false":
		default:
			parts = append(parts, property.name+" "+property.value)
		}
	}
	return strings.Join(parts, ", ")
}

// diffFields describes which properties change, or nothing.
func diffFields(before, after fields) string {
	var parts []string
	for i := range before {
		if before[i] != after[i] {
			parts = append(parts, fmt.Sprintf("%s %s -> %s", before[i].name, before[i].value, after[i].value))
		}
	}
	return strings.Join(parts, ", ")
}

func boolOf(p *bool) string {
	if p == nil {
		return absent
	}
	return fmt.Sprint(*p)
}

func hintsOf(e *discoveryv1.Endpoint) string {
	if e.Hints == nil {
		return ""
	}
	var zones []string
	for _, zone := range e.Hints.ForZones {
		zones = append(zones, zone.Name)
	}
	for _, node := range e.Hints.ForNodes {
		zones = append(zones, "node "+node.Name)
	}
	return strings.Join(zones, "+")
}

func orAbsent(text string) string {
	if text == "" {
		return absent
	}
	return text
}
