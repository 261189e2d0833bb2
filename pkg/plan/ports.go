package plan

import (
	"slices"

	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/external-workload/controller/pkg/desired"
)

// portChange says how the ports of a slice change to those of its group.
type portChange uint8

const (
	// portsStay: they do not change.
	portsStay portChange = iota
	// portsExtend: names are added or removed, but no port changes.
	portsExtend
	// portsSwitch: they change now, because no endpoint is ready with the old ones.
	portsSwitch
	// portsWait: they change later, because endpoints are ready with the old ones.
	portsWait
	// portsRefused: like portsWait, but the API server would refuse the old ones.
	portsRefused
	// portsRecover: like portsSwitch, but consumers may not know yet that no endpoint
	// is ready with the old ones.
	portsRecover
)

// pending reports whether the slice keeps its old ports in this step.
func (c portChange) pending() bool { return c >= portsWait }

// chooseGroup selects the desired ports of the slice: its current ports or, if these
// are not desired, the ports that most of its endpoints should have.
func (d *draft) chooseGroup(s *slice) {
	groups := d.desired.Families[s.family].Groups
	ports := desired.Ports(s.actual.Ports)
	for g := range groups {
		if groups[g].Equal(ports) {
			s.group = int32(g)
			return
		}
	}
	s.group = d.commonGroup(s, len(groups))
	switch {
	case s.group == none:
	case groups[s.group].Extends(ports):
		s.ports = portsExtend
		if d.options.Recovering && gains(groups[s.group], ports) {
			// Consumers may not know that a port of the name was removed.
			s.ports, s.unrecovered = portsStay, true
			s.outdated = gains(ports, groups[s.group])
		}
	case !slices.ContainsFunc(s.endpoints, func(e endpoint) bool { return e.ready }):
		s.ports = portsSwitch
		if d.options.Recovering {
			s.ports = portsRecover
		}
	case refusedPorts(ports):
		s.ports = portsRefused
	default:
		s.ports = portsWait
	}
}

// gains reports whether there is a port name in next that former lacks.
func gains(next, former desired.Ports) bool {
	return slices.ContainsFunc(next, func(p discoveryv1.EndpointPort) bool {
		return !slices.ContainsFunc(former, func(f discoveryv1.EndpointPort) bool { return portName(&f) == portName(&p) })
	})
}

// commonGroup returns the group that most of the slice's endpoints are to have.
func (d *draft) commonGroup(s *slice, groups int) int32 {
	d.tally = slices.Grow(d.tally[:0], groups)[:groups]
	clear(d.tally)
	best := int32(none)
	for i := range s.endpoints {
		t := s.endpoints[i].target
		if t == nil {
			continue
		}
		g := t.Group
		d.tally[g]++
		if best == none || d.tally[g] > d.tally[best] || d.tally[g] == d.tally[best] && g < best {
			best = g
		}
	}
	return best
}

// holdExtensions delays the new ports of a slice with portsExtend if, for one of its
// endpoints, another endpoint still has the new port: that one must be withdrawn in an
// earlier write.
func (d *draft) holdExtensions() {
	for i := range d.slices {
		s := &d.slices[i]
		if s.ports != portsExtend {
			continue
		}
		gains := make(map[string]struct{}, len(s.endpoints))
		for j := range s.endpoints {
			if e := &s.endpoints[j]; e.ready && len(e.actual.Addresses) == 1 {
				gains[e.actual.Addresses[0]] = struct{}{}
			}
		}
		if d.listenedElsewhere(i, gains, d.desired.Families[s.family].Groups[s.group]) {
			s.ports = portsWait
		}
	}
}

// listenedElsewhere reports whether another slice has a ready endpoint with one of the
// addresses and an overlapping port.
func (d *draft) listenedElsewhere(except int, addresses map[string]struct{}, ports desired.Ports) bool {
	for i := range d.slices {
		s := &d.slices[i]
		if i == except || !ports.Overlaps(s.actual.Ports) {
			continue
		}
		for j := range s.endpoints {
			e := &s.endpoints[j]
			if !e.ready {
				continue
			}
			for _, address := range e.actual.Addresses {
				if _, gained := addresses[address]; gained {
					return true
				}
			}
		}
	}
	return false
}
