package plantest

import (
	"fmt"
	"reflect"
	"slices"

	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/external-workload/controller/internal/plantest/consumers"
	"github.com/external-workload/controller/internal/plantest/sliceapi"
)

// failOnRefusal fails if the API server would refuse the write.
func (p *player) failOnRefusal(err error) {
	if apierrors.IsInvalid(err) {
		p.fail("a write that the API server refuses: %v", err)
	}
}

// checkWrite checks the rules for every write of the controller that do not depend on
// consumers.
func (p *player) checkWrite(write sliceapi.Write) {
	if p.setup.ConsumersOnly {
		return
	}
	if write.Verb == sliceapi.Delete {
		if n := len(write.Previous.Endpoints); n > 0 {
			p.fail("slice %s is deleted with %d endpoints in it", write.Previous.Name, n)
		}
		return
	}
	if n := len(write.Current.Endpoints); n > p.setup.MaxEndpoints && (write.Previous == nil || n > len(write.Previous.Endpoints)) {
		p.fail("slice %s is filled with %d endpoints", write.Current.Name, n)
	}
	p.checkComplete(write.Previous, write.Current)
	if write.Verb == sliceapi.Update && !p.tamperedSinceQuiet() {
		p.checkInPlace(write.Previous, write.Current)
	}
}

func (p *player) tamperedSinceQuiet() bool { return len(p.spoiled) > 0 }

// checkComplete fails if the controller's endpoints lack what clients need. What a
// foreign write removed may be missing until the controller repairs it.
func (p *player) checkComplete(previous, current *discoveryv1.EndpointSlice) {
	for i := range current.Ports {
		port := &current.Ports[i]
		if port.Name != nil && port.Port != nil && port.Protocol != nil {
			continue
		}
		if previous == nil || !reflect.DeepEqual(previous.Ports, current.Ports) {
			p.fail("slice %s has an incomplete port", current.Name)
		}
	}
	for i := range current.Endpoints {
		e := &current.Endpoints[i]
		if problem := incomplete(e); problem != "" && (previous == nil || count(previous.Endpoints, e) == 0) {
			p.fail("slice %s has an endpoint %s", current.Name, problem)
		}
	}
}

func incomplete(e *discoveryv1.Endpoint) string {
	switch ref := e.TargetRef; {
	case len(e.Addresses) != 1:
		return fmt.Sprintf("with %d addresses", len(e.Addresses))
	case e.Conditions.Ready == nil:
		return "that does not say whether it is ready"
	case ref == nil || ref.Kind != "ExternalWorkload" || ref.Namespace != Namespace || ref.Name == "" || ref.UID == "":
		return "without a full targetRef"
	}
	return ""
}

// checkInPlace fails if an endpoint that is ready before and after moved.
func (p *player) checkInPlace(previous, current *discoveryv1.EndpointSlice) {
	for i := range previous.Endpoints {
		before := &previous.Endpoints[i]
		if !*before.Conditions.Ready {
			continue
		}
		at := slices.IndexFunc(current.Endpoints, func(e discoveryv1.Endpoint) bool { return e.TargetRef.Name == before.TargetRef.Name })
		if at < 0 || !*current.Endpoints[at].Conditions.Ready {
			continue
		}
		if after := &current.Endpoints[at]; after.Addresses[0] != before.Addresses[0] {
			p.fail("%s moves from %s to %s in place", before.TargetRef.Name, before.Addresses[0], after.Addresses[0])
		}
		for j := range previous.Ports {
			for k := range current.Ports {
				a, b := &previous.Ports[j], &current.Ports[k]
				if *a.Name == *b.Name && *a.Port != *b.Port {
					p.fail("port %s of %s moves from %d to %d in place", *a.Name, before.TargetRef.Name, *a.Port, *b.Port)
				}
			}
		}
	}
}

// checkServed checks after a write of the controller that consumers serve nothing that
// was never desired, and everything that was always desired.
func (p *player) checkServed() {
	if !p.diverged && !p.setup.Lagging {
		for i, port := range portNames {
			p.checkClient(port, p.clients[i])
			p.linkerd.Fresh(port, func(socket consumers.Socket, identity consumers.Identity) {
				p.checkMeshed("a fresh client", port, socket, identity)
			})
		}
		p.checkClient(portNames[0], p.local)
	}
	for _, proxy := range p.proxies {
		for _, port := range portNames {
			p.checkProxied(proxy, port)
		}
	}
	if isForHeadless(p.world.service) {
		p.dns.Addresses(func(hostname, address string) {
			if !p.spoils(address) && !slices.ContainsFunc(p.since, func(e expected) bool { return e.ready && e.address == address }) {
				p.fail("DNS answers %s with %s, which was never desired", hostname, address)
			}
		})
	}
	if p.spread && p.tamperings == 0 && len(p.want) > p.setup.MaxEndpoints {
		p.checkNotAllLost()
	}
	for i := range p.stable {
		if p.stable[i].ready && !p.isSpoiled(&p.stable[i]) {
			p.checkNotMissing(&p.stable[i])
		}
	}
}

// checkProxied fails if a kube-proxy serves something that was never desired, or if one in
// a zone serves nothing although there are endpoints to serve.
func (p *player) checkProxied(proxy familyProxy, port string) {
	served := [2]int{}
	for i, at := range []Proxy{proxy.anywhere, proxy.local} {
		at.Serves(port, func(socket consumers.Socket, certain bool) {
			if certain || i == 1 {
				served[i]++
			}
			if !p.allows(port, socket, readyOrDraining) {
				p.fail("kube-proxy serves %s as port %q, which was never desired", socket, port)
			}
		})
	}
	if served[0] > 0 && served[1] == 0 {
		p.fail("kube-proxy in a zone serves nothing as port %q, and other proxies do", port)
	}
}

func (p *player) checkClient(port string, client *consumers.Client) {
	for socket, identity := range client.Has() {
		p.checkMeshed("a client", port, socket, identity)
	}
}

func (p *player) checkMeshed(who, port string, socket consumers.Socket, identity consumers.Identity) {
	if !p.allows(port, socket, ready) {
		p.fail("%s of Linkerd has %s as port %q, which was never desired", who, socket, port)
	}
	if !p.allowsIdentity(socket, identity) {
		p.fail("%s of Linkerd expects %s at %s, which was never there", who, identity.Name, socket)
	}
}

// checkNotMissing fails if an unchanged endpoint is not served.
func (p *player) checkNotMissing(e *expected) {
	for _, port := range e.ports {
		socket := consumers.Socket{Address: e.address, Port: port.number}
		if !p.diverged && !p.setup.Lagging {
			at := slices.Index(portNames, port.name)
			if has, found := p.clients[at].Has()[socket]; !found || has != e.identity {
				p.fail("%s did not change, but a client of Linkerd misses %s as port %q", e.workload, socket, port.name)
			}
			found := false
			p.linkerd.Fresh(port.name, func(has consumers.Socket, identity consumers.Identity) {
				found = found || has == socket && identity == e.identity
			})
			if !found {
				p.fail("%s did not change, but a fresh client of Linkerd misses %s as port %q", e.workload, socket, port.name)
			}
		}
		if !isHeadless(p.world.service) && !slices.Contains(p.proxied(e.family, port.name), socket) {
			p.fail("%s did not change, but kube-proxy misses %s as port %q", e.workload, socket, port.name)
		}
	}
	if isHeadless(p.world.service) && !slices.Contains(p.resolved(), addressRecord{hostnameOf(e), e.address}) {
		p.fail("%s did not change, but DNS misses %s", e.workload, e.address)
	}
}

// checkNotAllLost fails if no endpoint is served while the ports of several slices change.
func (p *player) checkNotAllLost() {
	meshed, proxied := 0, 0
	for i, port := range portNames {
		meshed += len(p.clients[i].Has())
		proxied += len(p.proxied(p.want[0].family, port))
	}
	if meshed == 0 && !p.diverged && !p.setup.Lagging {
		p.fail("a client of Linkerd has nothing while the ports of several slices change")
	}
	if proxied == 0 && !isHeadless(p.world.service) {
		p.fail("kube-proxy serves nothing while the ports of several slices change")
	}
}

// proxied returns the sockets that kube-proxy certainly serves.
func (p *player) proxied(family discoveryv1.AddressType, port string) []consumers.Socket {
	proxy := p.proxies[0]
	if family == discoveryv1.AddressTypeIPv6 {
		proxy = p.proxies[1]
	}
	var sockets []consumers.Socket
	proxy.anywhere.Serves(port, func(socket consumers.Socket, certain bool) {
		if certain {
			sockets = append(sockets, socket)
		}
	})
	return sockets
}

// addressRecord is one address record.
type addressRecord struct{ hostname, address string }

func (p *player) resolved() []addressRecord {
	var records []addressRecord
	p.dns.Addresses(func(hostname, address string) { records = append(records, addressRecord{hostname, address}) })
	return records
}

func hostnameOf(e *expected) string { return consumers.Hostname(&e.hostname, e.address) }

func (e *expected) String() string {
	return fmt.Sprintf("%s %s %v ready=%v", e.workload, e.address, e.ports, e.ready)
}
