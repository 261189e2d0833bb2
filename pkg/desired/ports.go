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

// portsOf copies a workload's ports, each protocol in its one spelling.
func portsOf(given []v1beta1.PortSpec) []v1beta1.PortSpec {
	ports := slices.Clone(given)
	for i := range ports {
		ports[i].Protocol = corev1.Protocol(protocolOf(string(ports[i].Protocol)))
	}
	return ports
}

// protocolOf gives a protocol's one spelling: upper case, TCP if not given.
func protocolOf(given string) string {
	if given == "" {
		return string(corev1.ProtocolTCP)
	}
	return strings.ToUpper(given)
}

// resolve gives the ports under which a workload with these ports is published
// for a Service: those of the Service's ports that the workload has, in the
// Service's order, each with the workload's number.
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

// targetOf finds the workload's port that a Service's port stands for: the one
// that targetPort names, or that has targetPort's number, with the protocol of
// the Service's port. Without targetPort it is the Service port's own number,
// as the API server's default has it.
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

// Equal reports whether both publish the same ports, in whatever order. An
// absent name or number is not the same as an empty or zero one: the API
// server stores both, and a client crashes on one of them.
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

// Extends reports whether replacing the other list by this one moves no existing
// endpoint: every name that both have stands for the same number and protocol
// in both, and names do not go and come at once with other numbers. The latter
// is a port that was renamed and renumbered, and a client that learns of the new
// name late would keep the old number.
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

// named is the port of that name, or nil.
func (p Ports) named(name string) *discoveryv1.EndpointPort {
	for i := range p {
		if *p[i].Name == name {
			return &p[i]
		}
	}
	return nil
}

// without are the ports whose names the other list does not have.
func (p Ports) without(other Ports) Ports {
	return slices.DeleteFunc(slices.Clone(p), func(port discoveryv1.EndpointPort) bool { return other.named(*port.Name) != nil })
}

// newTargets are the ports whose number and protocol the other list does not have.
func (p Ports) newTargets(other Ports) Ports {
	return slices.DeleteFunc(slices.Clone(p), func(port discoveryv1.EndpointPort) bool {
		return slices.ContainsFunc(other, func(o discoveryv1.EndpointPort) bool { return sameTarget(&port, &o) })
	})
}

// sameTarget reports whether both ports have the same number and protocol.
func sameTarget(a, b *discoveryv1.EndpointPort) bool {
	return *a.Port == *b.Port && *a.Protocol == *b.Protocol
}

// Overlaps reports whether two endpoints with the same address and these ports
// stand for the same listener of a machine.
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

// sorted is a copy in a fixed order.
func (p Ports) sorted() Ports {
	sorted := slices.Clone(p)
	slices.SortStableFunc(sorted, func(a, b discoveryv1.EndpointPort) int {
		return strings.Compare(portText(&a), portText(&b))
	})
	return sorted
}

// text identifies the list, whatever its order.
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
