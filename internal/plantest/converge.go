package plantest

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/external-workload/controller/internal/plantest/consumers"
	"github.com/external-workload/controller/pkg/plan"
)

// checkSlices checks that the slices are exactly as desired.
func (p *player) checkSlices() {
	var missing []*expected
	for i := range p.want {
		missing = append(missing, &p.want[i])
	}
	for _, slice := range p.api.List() {
		if !publishes(p.world.service) {
			p.fail("slice %s is left although nothing is published", slice.Name)
			return
		}
		p.checkMetadata(slice)
		for i := range slice.Endpoints {
			at := slices.IndexFunc(missing, func(e *expected) bool { return e.isPublishedAs(slice, &slice.Endpoints[i]) })
			if at < 0 {
				p.fail("an endpoint at rest is not desired, or differs: %s", plan.Dump(slice))
				return
			}
			missing = slices.Delete(missing, at, at+1)
		}
	}
	for _, e := range missing {
		p.fail("an endpoint is missing at rest: %s", e)
	}
}

func (p *player) checkMetadata(slice *discoveryv1.EndpointSlice) {
	service := p.world.service
	labels := map[string]string{discoveryv1.LabelServiceName: ServiceName, discoveryv1.LabelManagedBy: ManagedBy}
	maps.Copy(labels, service.Labels)
	if isHeadless(service) {
		labels[corev1.IsHeadlessService] = ""
	}
	if !maps.Equal(labels, slice.Labels) {
		p.fail("slice %s has labels %v at rest, want %v", slice.Name, slice.Labels, labels)
	}
	if owner := metav1.GetControllerOf(slice); owner == nil || owner.UID != service.UID || len(slice.OwnerReferences) != 1 {
		p.fail("slice %s belongs to %v at rest, want Service %s", slice.Name, slice.OwnerReferences, service.UID)
	}
	families := familiesOf(service)
	if !slices.Contains(families, slice.AddressType) {
		p.fail("slice %s has family %s at rest, want one of %v", slice.Name, slice.AddressType, families)
	}
}

// isPublishedAs reports whether the endpoint in the slice is exactly this one.
func (e *expected) isPublishedAs(slice *discoveryv1.EndpointSlice, endpoint *discoveryv1.Endpoint) bool {
	is := func(condition *bool, want bool) bool { return condition != nil && *condition == want }
	text := func(given *string) string {
		if given == nil {
			return ""
		}
		return *given
	}
	hint, nodeHint := "", ""
	if endpoint.Hints != nil && len(endpoint.Hints.ForZones) == 1 {
		hint = endpoint.Hints.ForZones[0].Name
	}
	if endpoint.Hints != nil && len(endpoint.Hints.ForNodes) == 1 {
		nodeHint = endpoint.Hints.ForNodes[0].Name
	}
	ref := endpoint.TargetRef
	return slice.AddressType == e.family && e.hasPorts(slice.Ports) &&
		len(endpoint.Addresses) == 1 && endpoint.Addresses[0] == e.address &&
		ref != nil && *ref == corev1.ObjectReference{Kind: "ExternalWorkload", Namespace: Namespace, Name: e.workload, UID: e.uid} &&
		is(endpoint.Conditions.Ready, e.ready) && is(endpoint.Conditions.Serving, e.serving) &&
		is(endpoint.Conditions.Terminating, e.terminating) &&
		text(endpoint.Zone) == e.zone && text(endpoint.Hostname) == e.hostname && hint == e.hint && nodeHint == e.nodeHint
}

func (e *expected) hasPorts(ports []discoveryv1.EndpointPort) bool {
	if len(ports) != len(e.ports) {
		return false
	}
	for _, port := range ports {
		if port.Name == nil || port.Port == nil || port.Protocol == nil ||
			!slices.Contains(e.ports, expectedPort{*port.Name, *port.Port, *port.Protocol}) {
			return false
		}
	}
	return true
}

// checkConverged checks that at rest each consumer serves exactly what is desired.
func (p *player) checkConverged() {
	for i, port := range portNames {
		p.checkMeshedConverged(port, i)
		for _, family := range []discoveryv1.AddressType{discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv6} {
			p.checkProxyConverged(port, family)
		}
	}
	if isForHeadless(p.world.service) {
		p.checkDNSConverged()
	}
	p.checkLocalConverged()
}

// checkMeshedConverged compares what an old and a fresh client of Linkerd have.
func (p *player) checkMeshedConverged(port string, number int) {
	if p.diverged {
		return
	}
	want := map[consumers.Socket]consumers.Identity{}
	for i := range p.want {
		for _, has := range p.want[i].ports {
			if p.want[i].ready && has.name == port {
				want[consumers.Socket{Address: p.want[i].address, Port: has.number}] = p.want[i].identity
			}
		}
	}
	fresh := map[consumers.Socket]consumers.Identity{}
	p.linkerd.Fresh(port, func(socket consumers.Socket, identity consumers.Identity) {
		if _, twice := fresh[socket]; twice {
			p.differs("a fresh client", port, socket, "is sent twice")
		}
		fresh[socket] = identity
	})
	p.compareMeshed("a client", port, want, p.clients[number].Has())
	p.compareMeshed("a fresh client", port, want, fresh)
}

// differs fails unless the difference has a cause that no controller can see: a foreign
// write to the differing endpoint beside another change, or an identity that was not
// recorded.
func (p *player) differs(who, port string, socket consumers.Socket, what string) {
	if p.spoils(socket.Address) && (p.lossy || p.tamperings+p.changes > 1) {
		p.diverged = true
		return
	}
	p.fail("at rest, %s of Linkerd %s %s as port %q", who, what, socket, port)
}

// compareMeshed fails unless the client has exactly what is desired.
func (p *player) compareMeshed(who, port string, want, has map[consumers.Socket]consumers.Identity) {
	for socket, identity := range want {
		if got, found := has[socket]; !found {
			p.differs(who, port, socket, "misses")
		} else if got != identity {
			p.differs(who, port, socket, "expects "+got.Name+" instead of "+identity.Name+" at")
		}
	}
	for socket := range has {
		if _, wanted := want[socket]; !wanted {
			p.differs(who, port, socket, "still has")
		}
	}
}

// checkLocalConverged checks that zones are distinguished only where every
// endpoint has a hint.
func (p *player) checkLocalConverged() {
	if p.diverged {
		return
	}
	all, local, hinted := 0, 0, true
	for i := range p.want {
		if e := &p.want[i]; e.ready && slices.ContainsFunc(e.ports, func(has expectedPort) bool { return has.name == portNames[0] }) {
			all++
			hinted = hinted && e.hint != ""
			if e.hint == localZone {
				local++
			}
		}
	}
	want := all
	if hinted && local > 0 {
		want = local
	}
	if got := len(p.local.Has()); got != want && len(p.spoiled) == 0 {
		p.fail("at rest, a client of Linkerd in zone %s has %d endpoints, want %d", localZone, got, want)
	}
}

func (p *player) checkProxyConverged(port string, family discoveryv1.AddressType) {
	got := p.proxied(family, port)
	var readyOnes, draining []consumers.Socket
	for i := range p.want {
		e := &p.want[i]
		for _, has := range e.ports {
			socket := consumers.Socket{Address: e.address, Port: has.number}
			switch {
			case e.family != family || has.name != port || isHeadless(p.world.service):
			case e.ready:
				readyOnes = append(readyOnes, socket)
			case e.serving && e.terminating:
				draining = append(draining, socket)
			}
		}
	}
	want := readyOnes
	if len(readyOnes) == 0 {
		want = draining
	}
	if !sameElements(got, want) {
		p.fail("at rest, kube-proxy serves %v as port %q, want %v", got, port, want)
	}
}

func (p *player) checkDNSConverged() {
	var addresses []addressRecord
	services := map[string][]consumers.Socket{}
	for i := range p.want {
		e := &p.want[i]
		if !e.ready {
			continue
		}
		addresses = append(addresses, addressRecord{hostnameOf(e), e.address})
		for _, has := range e.ports {
			services[has.name] = append(services[has.name], consumers.Socket{Address: e.address, Port: has.number})
		}
	}
	if got := p.resolved(); !sameElements(got, addresses) {
		p.fail("at rest, DNS has addresses %v, want %v", got, addresses)
	}
	for _, port := range portNames {
		var got []consumers.Socket
		p.dns.Services(port, func(_ string, socket consumers.Socket) { got = append(got, socket) })
		if !sameElements(got, services[port]) {
			p.fail("at rest, DNS has services %v of port %q, want %v", got, port, services[port])
		}
	}
}

// sameElements compares two lists and ignores their order.
func sameElements[T comparable](a, b []T) bool {
	if len(a) != len(b) {
		return false
	}
	for _, element := range a {
		if !slices.Contains(b, element) {
			return false
		}
	}
	return true
}
