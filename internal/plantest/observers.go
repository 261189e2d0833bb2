package plantest

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/external-workload/controller/internal/plantest/consumers"
	"github.com/external-workload/controller/internal/plantest/sliceapi"
	"github.com/external-workload/controller/pkg/plan"
)

// localZone is the zone of the clients that are in one.
const localZone = "west"

// observers are the consumers that are notified of each write.
type observers struct {
	linkerd *consumers.Destination
	clients []*consumers.Client // by port, in no zone
	local   *consumers.Client   // of the first port, in the local zone
	proxies []familyProxy
	dns     *consumers.DNS
}

// familyProxy is what routes to the Service's endpoints of one address family.
type familyProxy struct {
	// anywhere is on a node without a zone, and local on one in localZone.
	anywhere, local Proxy
}

func (a *observers) start(lookup consumers.WorkloadLookup, newProxy func(discoveryv1.AddressType, string) Proxy) {
	if newProxy == nil {
		newProxy = func(family discoveryv1.AddressType, zone string) Proxy { return consumers.NewKubeProxy(family, zone) }
	}
	a.proxies = nil
	for _, family := range []discoveryv1.AddressType{discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv6} {
		a.proxies = append(a.proxies, familyProxy{anywhere: newProxy(family, ""), local: newProxy(family, localZone)})
	}
	a.dns = consumers.NewDNS()
	a.startLinkerd(lookup)
}

func (a *observers) startLinkerd(lookup consumers.WorkloadLookup) {
	a.linkerd = consumers.NewDestination(lookup, portNames...)
	a.clients = a.clients[:0]
	for _, port := range portNames {
		a.clients = append(a.clients, a.linkerd.Subscribe(port, ""))
	}
	a.local = a.linkerd.Subscribe(portNames[0], localZone)
}

// notify notifies the observers that never lag of a write.
func (a *observers) notify(write sliceapi.Write) {
	for _, proxy := range a.proxies {
		proxy.anywhere.Observe(write.Previous, write.Current)
		proxy.local.Observe(write.Previous, write.Current)
	}
	a.dns.Observe(write.Previous, write.Current)
}

// restartLinkerd restarts the destination service: it reads the existing slices, and all
// clients reconnect.
func (p *player) restartLinkerd(slices []*discoveryv1.EndpointSlice) {
	p.startLinkerd(p.lookup)
	for _, slice := range slices {
		p.linkerd.Observe(nil, slice)
	}
	p.diverged = p.linkerdIsLost()
}

// linkerdIsLost reports whether no sequence of writes can keep Linkerd's clients correct,
// because workloads must be served at two addresses.
func (p *player) linkerdIsLost() bool {
	service := p.world.service
	return publishes(service) && len(familiesOf(service)) > 1 && !p.setup.WithholdSecondFamily
}

// lookup finds a workload in Linkerd's cache.
func (p *player) lookup(_, name string) (consumers.Identity, bool) {
	if p.setup.Lagging {
		identity, found := p.known[name]
		return identity, found
	}
	at, found := p.world.find(name)
	if !found {
		return consumers.Identity{}, false
	}
	return identityOf(p.world.workloads[at]), true
}

// observe is notified of each write that took effect, regardless of who made it.
func (p *player) observe(write sliceapi.Write) {
	p.writes++
	if p.trace != nil {
		for _, slice := range []*discoveryv1.EndpointSlice{write.Previous, write.Current} {
			if slice != nil {
				p.trace("       " + string(write.Verb) + " " + strings.TrimSpace(plan.Dump(slice)))
			}
		}
	}
	p.wrote(write)
	p.notify(write)
	p.diverged = p.diverged || p.linkerd.Crashed()
	if !p.ours {
		p.spoil(write.Previous, write.Current)
		return
	}
	p.checkWrite(write)
	p.checkServed()
}

// isForHeadless reports whether DNS answers with the endpoints themselves.
func isForHeadless(service *corev1.Service) bool { return publishes(service) && isHeadless(service) }
