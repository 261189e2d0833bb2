package plan

import (
	"slices"

	"github.com/external-workload/controller/pkg/desired"
)

// publication is an endpoint that begins to get traffic.
type publication struct {
	family   int
	endpoint int32
	// slice is the index of the standing slice, or beyond these that of a
	// created one; position is the endpoint's place in it, or none if it is added.
	slice, position int32
	// waitsFor are the slices whose write has to come first.
	waitsFor []int32
	// deferred is true if the publication has to come in a later plan.
	deferred bool
}

// orderPublications makes every endpoint that begins to get traffic wait for
// the withdrawal of those whose place it takes: of the same workload
// elsewhere, and of another workload with the same address and port. A slice
// that others wait for is written in the first phase; a publication in that
// slice, or one whose withdrawal does not come with this plan, is deferred.
func (p *Planner) orderPublications() {
	if len(p.publications) == 0 || len(p.matches) == 0 {
		p.deferPublications()
		return
	}
	p.findConflicts()
	for i := range p.publications {
		pub := &p.publications[i]
		if slices.Contains(pub.waitsFor, pub.slice) {
			pub.deferred = true
		}
	}
	for i := range p.publications {
		if pub := &p.publications[i]; !pub.deferred {
			for _, at := range pub.waitsFor {
				p.slices[at].early = true
			}
		}
	}
	for i := range p.publications {
		pub := &p.publications[i]
		if len(pub.waitsFor) > 0 && int(pub.slice) < len(p.slices) && p.slices[pub.slice].early {
			pub.deferred = true
		}
	}
	p.deferPublications()
}

// findConflicts looks, for every endpoint that stands ready, for publications
// that take its place.
func (p *Planner) findConflicts() {
	byName := make(map[string][]int, len(p.publications))
	byAddress := make(map[string][]int, len(p.publications))
	for i := range p.publications {
		w := p.wantedBy(&p.publications[i])
		byName[w.Workload.Name] = append(byName[w.Workload.Name], i)
		byAddress[w.Address] = append(byAddress[w.Address], i)
	}
	namespace := p.want.Service.Namespace
	for at := range p.slices {
		s := &p.slices[at]
		for i := range s.endpoints() {
			e := &s.endpoints()[i]
			if !standsReady(e) {
				continue
			}
			name, _ := workloadOf(e, namespace)
			for _, pub := range byName[name] {
				p.conflict(pub, at, i, p.sameWorkload)
			}
			for _, address := range e.Addresses {
				for _, pub := range byAddress[address] {
					p.conflict(pub, at, i, p.sameListener)
				}
			}
		}
	}
}

func (p *Planner) wantedBy(pub *publication) *desired.Endpoint {
	return &p.want.Families[pub.family].Endpoints[pub.endpoint]
}

// conflict makes a publication wait for the write that takes away the endpoint
// at position i of slice at, if it applies; or defers it if none does so now.
func (p *Planner) conflict(pub, at, i int, applies func(*publication, *standing, int) bool) {
	publication, s := &p.publications[pub], &p.slices[at]
	if !applies(publication, s, i) {
		return
	}
	act := p.actions[s.first+i]
	if act != remove && act != withdraw && !p.becomesUnready(s, i) {
		publication.deferred = true
		return
	}
	if !slices.Contains(publication.waitsFor, int32(at)) {
		publication.waitsFor = append(publication.waitsFor, int32(at))
	}
}

// sameWorkload tells whether the endpoint at position i is the workload's own
// in another place that it leaves. In the other address family it may remain.
func (p *Planner) sameWorkload(pub *publication, s *standing, i int) bool {
	if s.family == pub.family {
		return true
	}
	match := p.matches[s.first+i]
	return match == none || !p.want.Families[s.family].Endpoints[match].ReadyNow() || p.actions[s.first+i] == remove
}

// sameListener tells whether the endpoint at position i is another workload's
// and overlaps with the published one's ports. Its address is the same.
func (p *Planner) sameListener(pub *publication, s *standing, i int) bool {
	if match := p.matches[s.first+i]; s.family == pub.family && match == pub.endpoint {
		return false
	}
	wanted := p.wantedBy(pub)
	ports := p.want.Families[pub.family].Groups[wanted.Group]
	return ports.Overlaps(s.object.Ports)
}

// becomesUnready tells whether an endpoint that stands ready is not any more
// after it was set.
func (p *Planner) becomesUnready(s *standing, i int) bool {
	match := p.matches[s.first+i]
	return p.actions[s.first+i] == set && !p.want.Families[s.family].Endpoints[match].ReadyNow()
}

// deferPublications leaves out of this plan what has to come later.
func (p *Planner) deferPublications() {
	for i := range p.publications {
		pub := &p.publications[i]
		if !pub.deferred {
			continue
		}
		p.more = true
		switch at := int(pub.slice) - len(p.slices); {
		case at >= 0:
			p.created[at].added = without(p.created[at].added, pub.endpoint)
		case pub.position != none:
			p.actions[p.slices[pub.slice].first+int(pub.position)] = keep
		default:
			p.slices[pub.slice].added = without(p.slices[pub.slice].added, pub.endpoint)
		}
	}
}

func without(list []int32, value int32) []int32 {
	return slices.DeleteFunc(list, func(v int32) bool { return v == value })
}

// withdrawForPorts begins the change of ports on one slice, if no other is in
// the middle of it, so that a Service with several slices never loses all.
func (p *Planner) withdrawForPorts() {
	chosen := int32(none)
	for at := range p.slices {
		if s := &p.slices[at]; s.ports == portsWait {
			p.more = true
			if chosen == none && p.hasKeptReady(s) {
				chosen = int32(at)
			}
		}
	}
	if chosen == none || p.switching() {
		return
	}
	s := &p.slices[chosen]
	s.dirty = true
	for i := range s.endpoints() {
		if act := &p.actions[s.first+i]; *act == keep && p.matches[s.first+i] != none && standsReady(&s.endpoints()[i]) {
			*act = withdraw
		}
	}
}

func (p *Planner) hasKeptReady(s *standing) bool {
	for i := range s.endpoints() {
		if p.actions[s.first+i] == keep && standsReady(&s.endpoints()[i]) {
			return true
		}
	}
	return false
}

// switching tells whether this plan publishes endpoints on a slice that got
// new ports.
func (p *Planner) switching() bool {
	for i := range p.publications {
		pub := &p.publications[i]
		if !pub.deferred && int(pub.slice) < len(p.slices) && p.slices[pub.slice].ports == portsSwitch {
			return true
		}
	}
	return false
}
