package plan

import (
	"slices"

	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/external-workload/controller/pkg/desired"
)

// A veto replaces what was decided for one endpoint by something more careful,
// for the sake of another one.
type veto struct {
	endpoint *endpoint
	action   Action
	reason   Reason
}

func apply(vetoes []veto) {
	for _, v := range vetoes {
		v.endpoint.action, v.endpoint.reason = v.action, v.reason
	}
}

// vetoTooMany removes what the API server would refuse to have written again
// because a slice holds too much: first what waits to be removed as a copy, then
// the last endpoints, which find a place in another slice in the next step.
func (d *draft) vetoTooMany() []veto {
	var vetoes []veto
	for i := range d.slices {
		s := &d.slices[i]
		surplus := s.kept - maxSliceEndpoints
		for _, copies := range [2]bool{true, false} {
			for j := len(s.endpoints) - 1; j >= 0 && surplus > 0; j-- {
				e := &s.endpoints[j]
				if e.action == Remove || (e.reason == AwaitsCopy) != copies {
					continue
				}
				vetoes = append(vetoes, veto{e, Remove, AwaitsRoom})
				surplus--
			}
		}
	}
	return vetoes
}

// vetoPortChanges lets one slice at a time begin to change its ports, and none
// while another is in the middle of it, so that a Service with several slices
// never loses all endpoints. A slice whose last write failed does not count as in
// the middle, and begins only when no other has to.
func (d *draft) vetoPortChanges() []veto {
	var vetoes []veto
	taken := d.switchesPorts() || d.recoversPorts()
	for _, s := range d.turnsOfPorts() {
		begins := false
		for j := range s.endpoints {
			e := &s.endpoints[j]
			switch {
			case e.action != Withdraw || e.reason != PortsChanged:
			case taken:
				vetoes = append(vetoes, veto{e, Keep, AwaitsPorts})
			default:
				begins = true
			}
		}
		taken = taken || begins
	}
	return vetoes
}

// turnsOfPorts are the slices that have to begin, in the order of their turns.
func (d *draft) turnsOfPorts() []*slice {
	var turns []*slice
	for i := range d.slices {
		if s := &d.slices[i]; s.ports == portsWait {
			turns = append(turns, s)
		}
	}
	if len(d.options.Failed) > 0 {
		slices.SortStableFunc(turns, func(a, b *slice) int {
			return d.options.Failed[a.actual.UID].Compare(d.options.Failed[b.actual.UID])
		})
	}
	return turns
}

// switchesPorts reports whether this step publishes endpoints on a slice that got
// new ports.
func (d *draft) switchesPorts() bool {
	for i := range d.slices {
		s := &d.slices[i]
		if s.ports != portsSwitch || !d.options.Failed[s.actual.UID].IsZero() {
			continue
		}
		for _, list := range [][]endpoint{s.endpoints, s.added} {
			for j := range list {
				if list[j].action == Publish {
					return true
				}
			}
		}
	}
	return false
}

// listener is what clients forget when an endpoint departs.
type listener struct {
	workload string
	ports    desired.Ports
}

// vetoLoss withdraws the endpoints that clients would lose together with one
// that departs. Two workloads that are ready with one address and port are one
// entry to a client; when the first departs, the address is gone from the
// client, and comes back only if the other is published again. So it is with
// the two families of one workload where only one is to be ready. Slices that
// we wrote alone hold no such pairs; adopted or edited ones may.
func (d *draft) vetoLoss() []veto {
	var vetoes []veto
	addresses, names := d.departures()
	lost := map[*endpoint]struct{}{}
	for len(addresses) > 0 {
		next := map[string][]listener{}
		for i := range d.slices {
			s := &d.slices[i]
			for j := range s.endpoints {
				e := &s.endpoints[j]
				if _, known := lost[e]; known || !e.staysReady() || !d.lostWith(s, e, addresses, names) {
					continue
				}
				lost[e] = struct{}{}
				vetoes = append(vetoes, veto{e, Withdraw, LostWithAnother})
				d.addListeners(next, s, e.actual)
			}
		}
		addresses, names = next, nil
	}
	return vetoes
}

// departures are the endpoints that this step takes away from clients, by
// address; and their families by workload, where one family is to be ready.
func (d *draft) departures() (map[string][]listener, map[string]int) {
	var addresses map[string][]listener
	var names map[string]int
	for i := range d.slices {
		s := &d.slices[i]
		for j := range s.endpoints {
			e := &s.endpoints[j]
			if !e.departs() {
				continue
			}
			if addresses == nil {
				addresses, names = map[string][]listener{}, map[string]int{}
			}
			d.addListeners(addresses, s, e.actual)
			if name, valid := d.workloadOf(e.actual); valid && d.desired.OneFamily {
				names[name] = s.family
			}
		}
	}
	return addresses, names
}

func (d *draft) addListeners(departing map[string][]listener, s *slice, e *discoveryv1.Endpoint) {
	name, _ := d.workloadOf(e)
	for _, address := range e.Addresses {
		departing[address] = append(departing[address], listener{workload: name, ports: s.actual.Ports})
	}
}

func (d *draft) workloadOf(e *discoveryv1.Endpoint) (string, bool) {
	if d.desired.Service == nil {
		return "", false
	}
	return workloadOf(e, d.desired.Service.Namespace)
}

// lostWith reports whether clients lose an endpoint together with one that departs.
func (d *draft) lostWith(s *slice, e *endpoint, addresses map[string][]listener, names map[string]int) bool {
	name, _ := d.workloadOf(e.actual)
	if family, departs := names[name]; departs && family != s.family {
		return true
	}
	for _, other := range addresses[e.actual.Addresses[0]] {
		if other.workload != name && other.ports.Overlaps(s.actual.Ports) {
			return true
		}
	}
	return false
}
