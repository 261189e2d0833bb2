package plan

import (
	"slices"

	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/external-workload/controller/pkg/desired"
)

// action is what becomes of an endpoint that stands.
type action uint8

const (
	// keep: it stays as it is, because it is right or because its turn comes later.
	keep action = iota
	// set: it becomes what is wanted, in place.
	set
	// publish: it becomes what is wanted and so begins to get traffic.
	publish
	// announce: it becomes what is wanted, but without hint. Linkerd tells its
	// clients of an endpoint whose hints change, with its present identity.
	announce
	// withdraw: it stays, but not ready.
	withdraw
	// remove: it goes.
	remove
)

// findHomes decides for every wanted endpoint which of the places where it
// stands is to remain: the first, also where it was withdrawn there but stands
// ready elsewhere. So it stays the same one from step to step.
func (p *Planner) findHomes() {
	p.homes = slices.Grow(p.homes[:0], len(p.want.Families))[:len(p.want.Families)]
	for f := range p.homes {
		size := len(p.want.Families[f].Endpoints)
		p.homes[f] = slices.Grow(p.homes[f][:0], size)[:size]
		for i := range p.homes[f] {
			p.homes[f][i] = home{place: nowhere}
		}
	}
	for at := range p.slices {
		s := &p.slices[at]
		endpoints := s.endpoints()
		for i, m := range p.matches[s.first : s.first+len(endpoints)] {
			if m == none {
				continue
			}
			h, ready := &p.homes[s.family][m], standsReady(&endpoints[i])
			if s.usable && p.want.Families[s.family].Endpoints[m].Group == s.group && h.place == nowhere {
				h.place, h.ready = place{int32(at), int32(i)}, ready
			}
			if ready {
				h.copies++
			}
		}
	}
}

// decide chooses an action for every endpoint that stands.
func (p *Planner) decide() {
	p.actions = slices.Grow(p.actions[:0], len(p.matches))[:len(p.matches)]
	for at := range p.slices {
		s := &p.slices[at]
		s.dirty = s.ports == portsExtend || s.ports == portsSwitch || s.usable && !sameMetadata(s.object, p.want)
		endpoints := s.endpoints()
		for i := range endpoints {
			act := p.decideOne(s, place{int32(at), int32(i)}, &endpoints[i])
			p.actions[s.first+i] = act
			if act != keep {
				s.dirty = true
			}
			if act != remove {
				s.kept++
			}
			if act == publish {
				p.publications = append(p.publications, publication{family: s.family, endpoint: p.matches[s.first+i], slice: int32(at), position: int32(i)})
			}
		}
	}
}

// decideOne chooses the action for one endpoint that stands at a place.
func (p *Planner) decideOne(s *standing, at place, e *discoveryv1.Endpoint) action {
	match := p.matches[s.first+int(at.position)]
	if match == none {
		return remove
	}
	home, w := &p.homes[s.family][match], &p.want.Families[s.family].Endpoints[match]
	if home.place != at {
		return p.decideSurplus(home, e, w)
	}
	ready := standsReady(e)
	switch {
	case ready && w.ReadyNow():
		return decideReady(s, at, home, e, w)
	case ready && w.Held && sameTarget(e.TargetRef, w.Workload):
		// What clients use already is not held back from them.
		return keep
	case s.ports == portsWait && ready:
		return withdraw
	case s.ports == portsWait, s.ports == portsStay && same(e, w):
		return keep
	case w.ReadyNow():
		return publish
	default:
		return set
	}
}

// decideSurplus chooses for an endpoint that has its home elsewhere, or none.
// A client keeps one entry for both, so the one at home is withdrawn first, if
// it is to remain ready.
func (p *Planner) decideSurplus(home *home, e *discoveryv1.Endpoint, w *desired.Endpoint) action {
	if home.ready && standsReady(e) && w.ReadyNow() {
		p.more = true
		return keep
	}
	return remove
}

// decideReady chooses for an endpoint that stands ready and is wanted ready.
func decideReady(s *standing, at place, home *home, e *discoveryv1.Endpoint, w *desired.Endpoint) action {
	stale := !s.recordsIdentity(int(at.position), w.Workload)
	switch {
	case e.Addresses[0] != w.Address || home.copies > 1:
		return withdraw
	case s.ports == portsWait:
		return keep
	case stale && hintOf(e) == w.Hint && w.Hint != "":
		return announce
	case stale && hintOf(e) == w.Hint:
		return withdraw
	case s.ports == portsStay && same(e, w):
		return keep
	default:
		return set
	}
}
