package plan

import (
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/external-workload/controller/pkg/desired"
)

// listener is what clients forget when an endpoint departs.
type listener struct {
	name  string
	ports desired.Ports
}

// followDepartures withdraws the endpoints that clients would lose together
// with one that departs. Two workloads that stand ready with one address and
// port are one entry to a client; when the first departs, the address is gone
// from the client, and comes back only if the other is published anew. So it
// is with the two families of one workload where only one is to be ready.
// Slices that we wrote alone hold no such pairs; adopted or edited ones may.
func (p *Planner) followDepartures() {
	addresses, names := p.departures()
	for len(addresses) > 0 {
		more := map[string][]listener{}
		for at := range p.slices {
			s := &p.slices[at]
			for i := range s.endpoints() {
				e := &s.endpoints()[i]
				if !p.remainsReady(s, i) || !p.lostWith(s, e, addresses, names) {
					continue
				}
				p.actions[s.first+i] = withdraw
				s.dirty = true
				p.addDeparture(more, s, e)
			}
		}
		addresses, names = more, nil
	}
}

// departures are the endpoints that stand ready and do not after this plan, by
// address; and, where one family of a workload is to be ready, by name.
func (p *Planner) departures() (map[string][]listener, map[string]int) {
	var addresses map[string][]listener
	var names map[string]int
	for at := range p.slices {
		s := &p.slices[at]
		for i := range s.endpoints() {
			e := &s.endpoints()[i]
			if !standsReady(e) || p.remainsReady(s, i) {
				continue
			}
			if addresses == nil {
				addresses, names = map[string][]listener{}, map[string]int{}
			}
			p.addDeparture(addresses, s, e)
			if name, valid := p.nameOf(e); valid && p.want.OneFamily {
				names[name] = s.family
			}
		}
	}
	return addresses, names
}

func (p *Planner) addDeparture(departing map[string][]listener, s *standing, e *discoveryv1.Endpoint) {
	name, _ := p.nameOf(e)
	for _, address := range e.Addresses {
		departing[address] = append(departing[address], listener{name: name, ports: s.object.Ports})
	}
}

func (p *Planner) nameOf(e *discoveryv1.Endpoint) (string, bool) {
	if p.want.Service == nil {
		return "", false
	}
	return workloadOf(e, p.want.Service.Namespace)
}

// remainsReady tells whether an endpoint stands ready and goes on to.
func (p *Planner) remainsReady(s *standing, i int) bool {
	if !standsReady(&s.endpoints()[i]) {
		return false
	}
	switch p.actions[s.first+i] {
	case keep, announce:
		return true
	case set:
		return !p.becomesUnready(s, i)
	default:
		return false
	}
}

// lostWith tells whether clients lose an endpoint together with one that departs.
func (p *Planner) lostWith(s *standing, e *discoveryv1.Endpoint, addresses map[string][]listener, names map[string]int) bool {
	name, _ := p.nameOf(e)
	if family, departs := names[name]; departs && family != s.family {
		return true
	}
	for _, other := range addresses[e.Addresses[0]] {
		if other.name != name && other.ports.Overlaps(s.object.Ports) {
			return true
		}
	}
	return false
}

// holdExtensions makes a slice whose ports only gain names wait, like one whose
// ports change, where a new port of one of its endpoints is another's so far:
// that one has to be withdrawn in an earlier write.
func (p *Planner) holdExtensions() {
	for at := range p.slices {
		s := &p.slices[at]
		if s.ports != portsExtend {
			continue
		}
		gains := make(map[string]struct{}, len(s.endpoints()))
		for i := range s.endpoints() {
			if e := &s.endpoints()[i]; standsReady(e) && len(e.Addresses) == 1 {
				gains[e.Addresses[0]] = struct{}{}
			}
		}
		if p.listenedElsewhere(at, gains, p.want.Families[s.family].Groups[s.group]) {
			s.ports = portsWait
		}
	}
}

// listenedElsewhere tells whether another slice has a ready endpoint with one
// of the addresses and an overlapping port.
func (p *Planner) listenedElsewhere(except int, addresses map[string]struct{}, ports desired.Ports) bool {
	for at := range p.slices {
		s := &p.slices[at]
		if at == except || !ports.Overlaps(s.object.Ports) {
			continue
		}
		for i := range s.endpoints() {
			for _, address := range s.endpoints()[i].Addresses {
				if _, gained := addresses[address]; gained && standsReady(&s.endpoints()[i]) {
					return true
				}
			}
		}
	}
	return false
}
