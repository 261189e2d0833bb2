package plan

import (
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// The text form of a slice is one line with everything that consumers read of it:
//
//	web-1 IPv6 [http:8080/TCP,:53/UDP] a@192.0.2.1~z1 -b@192.0.2.2{terminating=true}
//
// The address family is left out where the first address shows it, as is IPv4 in
// a slice without endpoints. A port is name:number/protocol, and then its
// appProtocol in parentheses; what is absent, as opposed to empty, is nil. An
// endpoint is the workload's name and its addresses, joined by +, then the zones
// for which it is hinted. A minus before it says that it is not ready, a question
// mark that ready is absent. Braces hold whatever is not as usual: serving that
// is not as ready, terminating that is not false, a zone that is not the hint's,
// a UID that is not the name and "-uid", and so on.

// absent is the text of an absent value.
const absent = "nil"

// Dump returns the text form of slices, a line for each. ParseDump reads it.
// Metadata but the name is left out.
func Dump(slices ...*discoveryv1.EndpointSlice) string {
	var b strings.Builder
	for _, s := range slices {
		b.WriteString(s.Name)
		if s.AddressType != impliedFamily(s.Endpoints) {
			b.WriteString(" " + string(s.AddressType))
		}
		b.WriteString(" [" + dumpPorts(s.Ports) + "]")
		for i := range s.Endpoints {
			b.WriteString(" " + dumpEndpoint(&s.Endpoints[i], s.Namespace))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// impliedFamily returns the address family of the first address.
func impliedFamily(endpoints []discoveryv1.Endpoint) discoveryv1.AddressType {
	for i := range endpoints {
		if addresses := endpoints[i].Addresses; len(addresses) > 0 && strings.Contains(addresses[0], ":") {
			return discoveryv1.AddressTypeIPv6
		} else if len(addresses) > 0 {
			return discoveryv1.AddressTypeIPv4
		}
	}
	return discoveryv1.AddressTypeIPv4
}

func dumpPorts(ports []discoveryv1.EndpointPort) string {
	texts := make([]string, len(ports))
	for i := range ports {
		p := &ports[i]
		text := ""
		if p.Name == nil {
			text = absent + ":"
		} else if *p.Name != "" {
			text = *p.Name + ":"
		}
		if p.Port == nil {
			text += absent
		} else {
			text += strconv.Itoa(int(*p.Port))
		}
		if p.Protocol != nil {
			text += "/" + string(*p.Protocol)
		}
		if p.AppProtocol != nil {
			text += "(" + *p.AppProtocol + ")"
		}
		texts[i] = text
	}
	return strings.Join(texts, ",")
}

func dumpEndpoint(e *discoveryv1.Endpoint, namespace string) string {
	var b strings.Builder
	ready := e.Conditions.Ready == nil || *e.Conditions.Ready
	switch {
	case e.Conditions.Ready == nil:
		b.WriteByte('?')
	case !ready:
		b.WriteByte('-')
	}
	if e.TargetRef != nil {
		b.WriteString(e.TargetRef.Name)
	}
	b.WriteString("@" + strings.Join(e.Addresses, "+"))
	zones := zonesOf(e)
	if len(zones) > 0 {
		b.WriteString("~" + strings.Join(zones, "+"))
	}
	if unusual := unusualFields(e, namespace, ready, zones); len(unusual) > 0 {
		b.WriteString("{" + strings.Join(unusual, ",") + "}")
	}
	return b.String()
}

// unusualFields lists the properties of an endpoint that its short form does not show.
func unusualFields(e *discoveryv1.Endpoint, namespace string, ready bool, zones []string) []string {
	var fields []string
	add := func(name, value, usual string) {
		if value != usual {
			fields = append(fields, name+"="+value)
		}
	}
	add("serving", boolText(e.Conditions.Serving), strconv.FormatBool(ready))
	add("terminating", boolText(e.Conditions.Terminating), "false")
	add("zone", stringText(e.Zone), impliedZone(zones))
	var nodes []string
	if e.Hints != nil {
		for _, node := range e.Hints.ForNodes {
			nodes = append(nodes, node.Name)
		}
	}
	add("nodes", strings.Join(nodes, "+"), "")
	add("hostname", stringText(e.Hostname), absent)
	add("node", stringText(e.NodeName), absent)
	if ref := e.TargetRef; ref != nil {
		add("kind", ref.Kind, workloadKind)
		add("apiVersion", ref.APIVersion, "")
		add("namespace", ref.Namespace, namespace)
		add("uid", string(ref.UID), ref.Name+"-uid")
	} else {
		fields = append(fields, "ref="+absent)
	}
	return fields
}

func zonesOf(e *discoveryv1.Endpoint) []string {
	if e.Hints == nil {
		return nil
	}
	var zones []string
	for _, zone := range e.Hints.ForZones {
		zones = append(zones, zone.Name)
	}
	return zones
}

// impliedZone returns the zone of an endpoint that is hinted for these zones.
func impliedZone(zones []string) string {
	if len(zones) == 1 {
		return zones[0]
	}
	return absent
}

func boolText(value *bool) string {
	if value == nil {
		return absent
	}
	return strconv.FormatBool(*value)
}

func stringText(value *string) string {
	if value == nil {
		return absent
	}
	return *value
}

// ParseDump parses the output of Dump into slices of a namespace. It skips lines that
// are empty or begin with #.
func ParseDump(namespace, text string) ([]*discoveryv1.EndpointSlice, error) {
	var all []*discoveryv1.EndpointSlice
	for number, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		s, err := parseSlice(namespace, line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number+1, err)
		}
		all = append(all, s)
	}
	return all, nil
}

func parseSlice(namespace, line string) (*discoveryv1.EndpointSlice, error) {
	head, rest, opened := strings.Cut(line, "[")
	ports, endpoints, closed := strings.Cut(rest, "]")
	names := strings.Fields(head)
	if !opened || !closed || len(names) < 1 || len(names) > 2 {
		return nil, fmt.Errorf("want NAME [PORTS] ENDPOINTS, got %q", line)
	}
	s := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: names[0]}}
	for _, text := range splitNonEmpty(ports, ",") {
		port, err := parsePort(text)
		if err != nil {
			return nil, err
		}
		s.Ports = append(s.Ports, port)
	}
	for _, text := range strings.Fields(endpoints) {
		e, err := parseEndpoint(namespace, text)
		if err != nil {
			return nil, err
		}
		s.Endpoints = append(s.Endpoints, e)
	}
	s.AddressType = impliedFamily(s.Endpoints)
	if len(names) == 2 {
		s.AddressType = discoveryv1.AddressType(names[1])
	}
	return s, nil
}

func parsePort(text string) (discoveryv1.EndpointPort, error) {
	p := discoveryv1.EndpointPort{Name: new("")}
	if rest, app, found := strings.Cut(text, "("); found {
		text, p.AppProtocol = rest, new(strings.TrimSuffix(app, ")"))
	}
	if name, rest, found := strings.Cut(text, ":"); found {
		text, p.Name = rest, parseString(name)
	}
	if number, protocol, found := strings.Cut(text, "/"); found {
		text, p.Protocol = number, new(corev1.Protocol(protocol))
	}
	if text == absent {
		return p, nil
	}
	number, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return p, fmt.Errorf("port %q: %w", text, err)
	}
	p.Port = new(int32(number))
	return p, nil
}

func parseEndpoint(namespace, text string) (discoveryv1.Endpoint, error) {
	ready := new(true)
	switch {
	case strings.HasPrefix(text, "?"):
		text, ready = text[1:], nil
	case strings.HasPrefix(text, "-"):
		text, ready = text[1:], new(false)
	}
	text, braces, _ := strings.Cut(text, "{")
	text, zones, _ := strings.Cut(text, "~")
	name, addresses, found := strings.Cut(text, "@")
	if !found {
		return discoveryv1.Endpoint{}, fmt.Errorf("endpoint %q has no address", text)
	}
	e := discoveryv1.Endpoint{
		Addresses: splitNonEmpty(addresses, "+"),
		Conditions: discoveryv1.EndpointConditions{
			Ready: ready, Serving: new(ready == nil || *ready), Terminating: new(false),
		},
		TargetRef: &corev1.ObjectReference{Kind: workloadKind, Namespace: namespace, Name: name, UID: types.UID(name + "-uid")},
	}
	for _, zone := range splitNonEmpty(zones, "+") {
		hintsOf(&e).ForZones = append(hintsOf(&e).ForZones, discoveryv1.ForZone{Name: zone})
	}
	e.Zone = parseString(impliedZone(zonesOf(&e)))
	for _, field := range splitNonEmpty(strings.TrimSuffix(braces, "}"), ",") {
		if err := setField(&e, field); err != nil {
			return e, err
		}
	}
	return e, nil
}

// setField sets one of the fields in braces.
func setField(e *discoveryv1.Endpoint, field string) error {
	name, value, _ := strings.Cut(field, "=")
	switch name {
	case "serving":
		e.Conditions.Serving = parseBool(value)
	case "terminating":
		e.Conditions.Terminating = parseBool(value)
	case "zone":
		e.Zone = parseString(value)
	case "nodes":
		for _, node := range splitNonEmpty(value, "+") {
			hintsOf(e).ForNodes = append(hintsOf(e).ForNodes, discoveryv1.ForNode{Name: node})
		}
	case "hostname":
		e.Hostname = parseString(value)
	case "node":
		e.NodeName = parseString(value)
	case "kind":
		e.TargetRef.Kind = value
	case "apiVersion":
		e.TargetRef.APIVersion = value
	case "namespace":
		e.TargetRef.Namespace = value
	case "uid":
		e.TargetRef.UID = types.UID(value)
	case "ref":
		e.TargetRef = nil
	default:
		return fmt.Errorf("unknown field %q", field)
	}
	return nil
}

func hintsOf(e *discoveryv1.Endpoint) *discoveryv1.EndpointHints {
	if e.Hints == nil {
		e.Hints = &discoveryv1.EndpointHints{}
	}
	return e.Hints
}

func parseString(text string) *string {
	if text == absent {
		return nil
	}
	return &text
}

func parseBool(text string) *bool {
	if text == absent {
		return nil
	}
	return new(text == "true")
}

func splitNonEmpty(text, separator string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, separator)
}
