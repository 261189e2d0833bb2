package plan

import (
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/external-workload/controller/pkg/desired"
)

// A slice may contain values that an older API server accepted and the current one
// refuses, or that were accepted by mistake. An update that contains such a value is
// refused as a whole, so these values are never written again.

// The limits of the API server.
const (
	maxSliceEndpoints  = 1000
	maxHints           = 8
	maxTopology        = 16
	maxPort            = 65535
	maxAnnotationBytes = 256 << 10
)

// refusedAddress reports whether the API server may refuse an address in a slice
// of that family.
func refusedAddress(address string, family discoveryv1.AddressType) bool {
	ip, err := netip.ParseAddr(address)
	var canonical [64]byte
	if err != nil || ip.Zone() != "" || ip.Is4In6() || string(ip.AppendTo(canonical[:0])) != address {
		return true
	}
	return ip.Is4() != (family == discoveryv1.AddressTypeIPv4) ||
		ip.IsUnspecified() || ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsLinkLocalMulticast()
}

// refusedPorts reports whether the API server may refuse the ports of a slice, or
// Linkerd's destination service crashes on them, as it does on a port without number.
func refusedPorts(ports desired.Ports) bool {
	for i := range ports {
		p := &ports[i]
		name := portName(p)
		switch {
		case p.Port == nil || *p.Port < 1 || *p.Port > maxPort:
			return true
		case name != "" && len(validation.IsDNS1123Label(name)) > 0:
			return true
		case p.AppProtocol != nil && len(validation.IsQualifiedName(*p.AppProtocol)) > 0:
			return true
		case p.Protocol != nil && *p.Protocol != corev1.ProtocolTCP && *p.Protocol != corev1.ProtocolUDP && *p.Protocol != corev1.ProtocolSCTP:
			return true
		}
		for j := range i {
			if portName(&ports[j]) == name {
				return true
			}
		}
	}
	return false
}

func portName(p *discoveryv1.EndpointPort) string {
	if p.Name == nil {
		return ""
	}
	return *p.Name
}

// carriedOver returns an endpoint that is written again unchanged, without the
// properties that the API server may refuse. Its address is known to be valid.
func carriedOver(e *discoveryv1.Endpoint) discoveryv1.Endpoint {
	next := *e
	if next.Hostname != nil && len(validation.IsDNS1123Label(*next.Hostname)) > 0 {
		next.Hostname = nil
	}
	if next.NodeName != nil && len(validation.IsDNS1123Subdomain(*next.NodeName)) > 0 {
		next.NodeName = nil
	}
	if next.Hints != nil && refusedHints(next.Hints) {
		next.Hints = nil
	}
	if len(next.DeprecatedTopology) > maxTopology {
		next.DeprecatedTopology = nil
	}
	for key, value := range next.DeprecatedTopology {
		if len(validation.IsQualifiedName(key)) > 0 || len(validation.IsValidLabelValue(value)) > 0 {
			next.DeprecatedTopology = nil
		}
	}
	return next
}

func refusedHints(hints *discoveryv1.EndpointHints) bool {
	if len(hints.ForZones) > maxHints || len(hints.ForNodes) > maxHints {
		return true
	}
	for i, zone := range hints.ForZones {
		if len(validation.IsValidLabelValue(zone.Name)) > 0 {
			return true
		}
		for j := range i {
			if hints.ForZones[j].Name == zone.Name {
				return true
			}
		}
	}
	for i, node := range hints.ForNodes {
		if len(validation.IsDNS1123Subdomain(node.Name)) > 0 {
			return true
		}
		for j := range i {
			if hints.ForNodes[j].Name == node.Name {
				return true
			}
		}
	}
	return false
}

// refusedAnnotations reports whether the annotations exceed the limit.
func refusedAnnotations(annotations map[string]string) bool {
	total := 0
	for key, value := range annotations {
		total += len(key) + len(value)
	}
	return total > maxAnnotationBytes
}
