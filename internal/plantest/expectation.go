package plantest

import (
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/external-workload/controller/internal/plantest/consumers"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// expected is one desired endpoint.
type expected struct {
	service     types.UID
	workload    string
	uid         types.UID
	family      discoveryv1.AddressType
	address     string
	ports       []expectedPort
	ready       bool
	serving     bool
	terminating bool
	zone        string
	hint        string
	nodeHint    string
	hostname    string
	identity    consumers.Identity
}

type expectedPort struct {
	name     string
	number   int32
	protocol corev1.Protocol
}

// sameToClients reports whether no difference is visible to clients, so that the endpoint
// must be served without a gap.
func (e *expected) sameToClients(other *expected) bool {
	return e.service == other.service && e.uid == other.uid && e.family == other.family && e.address == other.address &&
		e.identity == other.identity && e.ready && other.ready && slices.Equal(e.ports, other.ports)
}

// servesLike reports whether the fields are equal that decide who serves which port.
func (e *expected) servesLike(other expected) bool {
	return e.workload == other.workload && e.address == other.address && e.ready == other.ready &&
		e.serving == other.serving && e.terminating == other.terminating && slices.Equal(e.ports, other.ports)
}

// expect computes the desired endpoints of a Service, which may be nil, and the workloads
// that it selects. It is deliberately slow and simple.
func expect(setup *Setup, service *corev1.Service, workloads []*v1beta1.ExternalWorkload) []expected {
	if !publishes(service) {
		return nil
	}
	ranked := slices.Clone(workloads)
	var all []expected
	for i, family := range familiesOf(service) {
		first := len(all)
		withheld := func(workload *v1beta1.ExternalWorkload) bool {
			return i > 0 && setup.WithholdSecondFamily && addressIn(workload, familiesOf(service)[0]) != ""
		}
		slices.SortFunc(ranked, func(a, b *v1beta1.ExternalWorkload) int { return compareRank(a, b, withheld) })
		for _, workload := range ranked {
			e, ok := expectOne(service, workload, family)
			if !ok || slices.ContainsFunc(all[first:], func(taken expected) bool { return taken.collides(&e) }) {
				continue
			}
			if withheld(workload) {
				e.ready, e.hint, e.nodeHint = false, "", ""
			}
			all = append(all, e)
		}
	}
	return all
}

func publishes(service *corev1.Service) bool {
	return service != nil && service.Spec.Type != corev1.ServiceTypeExternalName && len(service.Spec.Selector) > 0
}

func familiesOf(service *corev1.Service) []discoveryv1.AddressType {
	if len(service.Spec.IPFamilies) == 0 {
		return []discoveryv1.AddressType{discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv6}
	}
	var families []discoveryv1.AddressType
	for _, family := range service.Spec.IPFamilies {
		families = append(families, discoveryv1.AddressType(family))
	}
	return families
}

// compareRank puts first the workload that is published if two have the same address.
func compareRank(a, b *v1beta1.ExternalWorkload, withheld func(*v1beta1.ExternalWorkload) bool) int {
	usable := func(w *v1beta1.ExternalWorkload) bool {
		return isReady(w) && w.DeletionTimestamp == nil && !withheld(w)
	}
	switch {
	case usable(a) != usable(b) && usable(a):
		return -1
	case usable(a) != usable(b):
		return 1
	case !a.CreationTimestamp.Equal(&b.CreationTimestamp):
		return a.CreationTimestamp.Compare(b.CreationTimestamp.Time)
	}
	return strings.Compare(a.Name, b.Name)
}

func isReady(workload *v1beta1.ExternalWorkload) bool {
	for _, condition := range workload.Status.Conditions {
		if condition.Type == v1beta1.WorkloadReady && condition.Status == v1beta1.ConditionTrue {
			return true
		}
	}
	return false
}

func expectOne(service *corev1.Service, workload *v1beta1.ExternalWorkload, family discoveryv1.AddressType) (expected, bool) {
	e := expected{
		service:     service.UID,
		workload:    workload.Name,
		uid:         workload.UID,
		family:      family,
		address:     addressIn(workload, family),
		ports:       portsOf(service, workload),
		serving:     isReady(workload),
		terminating: workload.DeletionTimestamp != nil,
		zone:        workload.Labels[corev1.LabelTopologyZone],
		identity:    identityOf(workload),
	}
	if e.address == "" || len(e.ports) == 0 && len(service.Spec.Ports) > 0 {
		return e, false
	}
	e.ready = e.serving && !e.terminating || service.Spec.PublishNotReadyAddresses
	if e.ready && service.Spec.TrafficDistribution != nil {
		e.hint = e.zone
		if *service.Spec.TrafficDistribution == corev1.ServiceTrafficDistributionPreferSameNode {
			e.nodeHint = "external-workload.invalid"
		}
	}
	if isHeadless(service) && len(validation.IsDNS1123Label(workload.Name)) == 0 {
		e.hostname = workload.Name
	}
	return e, true
}

func isHeadless(service *corev1.Service) bool { return service.Spec.ClusterIP == corev1.ClusterIPNone }

func identityOf(workload *v1beta1.ExternalWorkload) consumers.Identity {
	return consumers.Identity{Name: workload.Spec.MeshTLS.Identity, ServerName: workload.Spec.MeshTLS.ServerName}
}

// addressIn returns the workload's first valid address of the family, or empty.
func addressIn(workload *v1beta1.ExternalWorkload, family discoveryv1.AddressType) string {
	for _, given := range workload.Spec.WorkloadIPs {
		ip, err := netip.ParseAddr(given.IP)
		if err != nil || ip.Zone() != "" || ip.Is4In6() || !ip.IsGlobalUnicast() {
			continue
		}
		if ip.Is4() == (family == discoveryv1.AddressTypeIPv4) {
			return ip.String()
		}
	}
	return ""
}

// portsOf returns the Service's ports that the workload has, in the Service's order.
func portsOf(service *corev1.Service, workload *v1beta1.ExternalWorkload) []expectedPort {
	ports := make([]expectedPort, 0, len(service.Spec.Ports))
	for i := range service.Spec.Ports {
		wanted := &service.Spec.Ports[i]
		for _, has := range workload.Spec.Ports {
			byName := wanted.TargetPort.Type == intstr.String && has.Name == wanted.TargetPort.StrVal
			byNumber := wanted.TargetPort.Type == intstr.Int && has.Port == wanted.TargetPort.IntVal
			if has.Protocol == wanted.Protocol && (byName || byNumber) {
				ports = append(ports, expectedPort{wanted.Name, has.Port, has.Protocol})
				break
			}
		}
	}
	return ports
}

// collides reports whether both have the same listener of a machine.
func (e *expected) collides(other *expected) bool {
	if e.address != other.address {
		return false
	}
	if len(e.ports) == 0 && len(other.ports) == 0 {
		return true
	}
	for _, a := range e.ports {
		for _, b := range other.ports {
			if a.number == b.number && a.protocol == b.protocol {
				return true
			}
		}
	}
	return false
}
