package desired

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// maxPort is the largest port number.
const maxPort = 65535

// portsOf copies a workload's ports with normalized protocols.
func portsOf(given []v1beta1.PortSpec) []v1beta1.PortSpec {
	ports := slices.Clone(given)
	for i := range ports {
		ports[i].Protocol = corev1.Protocol(protocolOf(string(ports[i].Protocol)))
	}
	return ports
}

// protocolOf normalizes a protocol: upper case, TCP if empty.
func protocolOf(given string) string {
	if given == "" {
		return string(corev1.ProtocolTCP)
	}
	return strings.ToUpper(given)
}

// resolve returns the ports with which a workload is published for a Service: those of
// the Service's ports that the workload has, in the Service's order, each with the
// workload's number.
func resolve(service []corev1.ServicePort, workload []v1beta1.PortSpec) []discoveryv1.EndpointPort {
	resolved := []discoveryv1.EndpointPort{}
	for i := range service {
		port := &service[i]
		protocol := corev1.Protocol(protocolOf(string(port.Protocol)))
		number, found := targetOf(port, protocol, workload)
		if !found {
			continue
		}
		resolved = append(resolved, discoveryv1.EndpointPort{
			Name:        &port.Name,
			Protocol:    &protocol,
			Port:        &number,
			AppProtocol: port.AppProtocol,
		})
	}
	return resolved
}

// targetOf returns the workload's port that a Service port refers to: the one with the
// name or number in targetPort, and with the same protocol. Without targetPort, the
// number is the Service port's own, as the API server defaults it.
func targetOf(port *corev1.ServicePort, protocol corev1.Protocol, workload []v1beta1.PortSpec) (int32, bool) {
	number := port.TargetPort.IntVal
	byName := port.TargetPort.Type == intstr.String
	if !byName && number == 0 {
		number = port.Port
	}
	for i := range workload {
		p := &workload[i]
		if p.Protocol != protocol || p.Port < 1 || p.Port > maxPort {
			continue
		}
		if byName && p.Name == port.TargetPort.StrVal && p.Name != "" || !byName && p.Port == number {
			return p.Port, true
		}
	}
	return 0, false
}

// Ports is the list of ports that a group of endpoints is published with.
type Ports []discoveryv1.EndpointPort

// Equal reports whether both lists have the same ports, in any order. An absent name or
// number differs from an empty or zero one: the API server stores both, and Linkerd's
// destination service crashes on one of them.
func (p Ports) Equal(other Ports) bool {
	if len(p) != len(other) {
		return false
	}
	for i := range p {
		if !equalPort(&p[i], &other[i]) {
			return len(p) > 1 && p.sorted().equalInOrder(other.sorted())
		}
	}
	return true
}

// Extends reports whether replacing the other list by this one changes no existing
// port: every name in both lists has the same number and protocol, and the change does
// not remove one name and add another with a different number. The latter is a port
// that was renamed and renumbered: a client that learns the new name late would keep
// the old number.
func (p Ports) Extends(other Ports) bool {
	for _, list := range []Ports{p, other} {
		if slices.ContainsFunc(list, func(port discoveryv1.EndpointPort) bool { return !complete(&port) }) {
			return false
		}
	}
	for i := range p {
		if at := other.named(*p[i].Name); at != nil && !sameTarget(&p[i], at) {
			return false
		}
	}
	come, gone := p.without(other), other.without(p)
	return len(come) == 0 || len(gone) == 0 || len(come) == len(gone) && len(come.newTargets(gone)) == 0
}

// named returns the port of that name, or nil.
func (p Ports) named(name string) *discoveryv1.EndpointPort {
	for i := range p {
		if *p[i].Name == name {
			return &p[i]
		}
	}
	return nil
}

// without returns the ports whose names the other list does not have.
func (p Ports) without(other Ports) Ports {
	return slices.DeleteFunc(slices.Clone(p), func(port discoveryv1.EndpointPort) bool { return other.named(*port.Name) != nil })
}

// newTargets returns the ports whose number and protocol the other list does not have.
func (p Ports) newTargets(other Ports) Ports {
	return slices.DeleteFunc(slices.Clone(p), func(port discoveryv1.EndpointPort) bool {
		return slices.ContainsFunc(other, func(o discoveryv1.EndpointPort) bool { return sameTarget(&port, &o) })
	})
}

// sameTarget reports whether both ports have the same number and protocol.
func sameTarget(a, b *discoveryv1.EndpointPort) bool {
	return *a.Port == *b.Port && *a.Protocol == *b.Protocol
}

// Overlaps reports whether two endpoints with the same address and these ports reach
// the same listener of a machine.
func (p Ports) Overlaps(other Ports) bool {
	if len(p) == 0 && len(other) == 0 {
		return true
	}
	for i := range p {
		for j := range other {
			a, b := &p[i], &other[j]
			if equalValue(a.Port, b.Port) && equalValue(a.Protocol, b.Protocol) {
				return true
			}
		}
	}
	return false
}

func (p Ports) equalInOrder(other Ports) bool {
	return slices.EqualFunc(p, other, func(a, b discoveryv1.EndpointPort) bool { return equalPort(&a, &b) })
}

// sorted returns a copy in a deterministic order.
func (p Ports) sorted() Ports {
	sorted := slices.Clone(p)
	slices.SortStableFunc(sorted, func(a, b discoveryv1.EndpointPort) int {
		return strings.Compare(portText(&a), portText(&b))
	})
	return sorted
}

// text returns the same text for lists with the same ports, in any order.
func (p Ports) text() string {
	var b strings.Builder
	for _, port := range p.sorted() {
		b.WriteString(portText(&port))
	}
	return b.String()
}

func complete(p *discoveryv1.EndpointPort) bool {
	return p.Name != nil && p.Port != nil && p.Protocol != nil
}

func equalPort(a, b *discoveryv1.EndpointPort) bool {
	return equalValue(a.Name, b.Name) && equalValue(a.Port, b.Port) &&
		equalValue(a.Protocol, b.Protocol) && equalValue(a.AppProtocol, b.AppProtocol)
}

func equalValue[T comparable](a, b *T) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}
