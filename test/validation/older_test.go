package validation

import (
	"fmt"
	"maps"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/external-workload/controller/internal/build"
)

// olderSlice returns a slice with endpoints of workloads and with properties that some
// older versions accepted. The newest version refuses most of them.
func olderSlice(c *build.Choices, service *corev1.Service, name string, workloads int) *discoveryv1.EndpointSlice {
	slice := build.Slice("shop/"+name, build.Of(service))
	slice.UID, slice.ResourceVersion = "", ""
	slice.AddressType = pick(c, discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv6)
	slice.Labels = maps.Clone(slice.Labels)
	slice.Ports = olderPorts(c)
	for i := range 1 + c.Below(4) {
		e := build.Slice("shop/x", build.Endpoint(fmt.Sprintf("w%d", c.Below(workloads)), olderAddress(c, slice.AddressType))).Endpoints[0]
		olderEndpoint(c, &e)
		if c.Rarely(8) && i > 0 {
			e = *slice.Endpoints[0].DeepCopy() // a duplicate endpoint
		}
		slice.Endpoints = append(slice.Endpoints, e)
	}
	if c.Rarely(10) {
		slice.Annotations = map[string]string{"example.org/note": strings.Repeat("x", 256<<10)}
	}
	if c.Rarely(10) {
		for len(slice.Endpoints) < 1001 {
			slice.Endpoints = append(slice.Endpoints, *slice.Endpoints[0].DeepCopy())
		}
	}
	return slice
}

func olderAddress(c *build.Choices, family discoveryv1.AddressType) string {
	if family == discoveryv1.AddressTypeIPv4 {
		return pick(c, "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.000.002.001", "010.0.0.8", "127.0.0.1", "169.254.1.1", "0.0.0.0", "224.0.0.1", "2001:db8::1")
	}
	return pick(c, "2001:db8::1", "2001:db8::2", "2001:DB8::1", "2001:db8:0:0::2", "::ffff:192.0.2.1", "fe80::1", "::1", "192.0.2.1")
}

func olderEndpoint(c *build.Choices, e *discoveryv1.Endpoint) {
	switch c.Below(12) {
	case 0:
		e.Hostname = new("Not_A_Label")
	case 1:
		e.NodeName = new("not a node")
	case 2:
		e.Hints = &discoveryv1.EndpointHints{ForZones: many(9, func(i int) discoveryv1.ForZone { return discoveryv1.ForZone{Name: fmt.Sprint("z", i)} })}
	case 3:
		e.Hints = &discoveryv1.EndpointHints{ForZones: []discoveryv1.ForZone{{Name: "z 1"}, {Name: "z1"}, {Name: "z1"}}}
	case 4:
		e.Hints = &discoveryv1.EndpointHints{ForNodes: []discoveryv1.ForNode{{Name: "Not a node"}, {Name: "n"}, {Name: "n"}}}
	case 5:
		e.DeprecatedTopology = map[string]string{"not a key/": "not a value/"}
	case 6:
		e.Addresses = many(101, func(int) string { return e.Addresses[0] })
	case 7:
		e.Addresses = nil
	case 8:
		e.TargetRef = nil
	case 9:
		e.Zone = new("not a zone/")
	}
}

func olderPorts(c *build.Choices) []discoveryv1.EndpointPort {
	ports := []discoveryv1.EndpointPort{build.EndpointPort("http", 8080)}
	switch c.Below(10) {
	case 0:
		ports[0].Name = new("Not_A_Label")
	case 1:
		ports[0].AppProtocol = new("not a protocol")
	case 2:
		ports[0].Port = new(int32(0))
	case 3:
		ports[0].Port = nil
	case 4:
		ports = append(ports, ports[0])
	case 5:
		ports[0].Protocol = new(corev1.Protocol("tcp"))
	case 6:
		ports = nil
	case 7:
		ports[0].Port = new(int32(70000))
	}
	return ports
}

func many[T any](n int, make func(int) T) []T {
	var all []T
	for i := range n {
		all = append(all, make(i))
	}
	return all
}

func pick[T any](c *build.Choices, values ...T) T { return values[c.Below(len(values))] }
