package plan

import (
	"cmp"
	"slices"
)

// wanted names an endpoint that stands nowhere yet.
type wanted struct {
	family   int
	group    int32
	endpoint int32
}

// created is a slice to be made.
type created struct {
	family int
	group  int32
	added  []int32
}

// place finds a slice for every wanted endpoint that has none.
func (p *Planner) place() {
	for f := range p.homes {
		endpoints := p.want.Families[f].Endpoints
		for i := range p.homes[f] {
			if p.homes[f][i].place == nowhere && !endpoints[i].Held {
				p.unplaced = append(p.unplaced, wanted{family: f, group: endpoints[i].Group, endpoint: int32(i)})
			}
		}
	}
	slices.SortStableFunc(p.unplaced, func(a, b wanted) int {
		return cmp.Or(cmp.Compare(a.family, b.family), cmp.Compare(a.group, b.group))
	})
	for rest := p.unplaced; len(rest) > 0; {
		end := 1
		for end < len(rest) && rest[end].family == rest[0].family && rest[end].group == rest[0].group {
			end++
		}
		p.placeGroup(rest[:end])
		rest = rest[end:]
	}
}

// placeGroup places endpoints with the same ports so that few slices are
// written: first where a slice is written anyway, then in as many new slices
// as they fill, then the rest in the fullest slice that has room for all of
// it, or in a new one.
func (p *Planner) placeGroup(rest []wanted) {
	for at := range p.slices {
		if s := &p.slices[at]; s.dirty && s.takes(rest) {
			rest = p.fill(int32(at), rest)
		}
	}
	for len(rest) >= p.options.MaxEndpoints {
		rest = p.createWith(rest, p.options.MaxEndpoints)
	}
	if len(rest) == 0 {
		return
	}
	best := int32(none)
	for at := range p.slices {
		s := &p.slices[at]
		if s.takes(rest) && p.room(s) >= len(rest) && (best == none || p.room(s) < p.room(&p.slices[best])) {
			best = int32(at)
		}
	}
	if best == none {
		p.createWith(rest, len(rest))
		return
	}
	p.fill(best, rest)
}

// takes tells whether the slice is for endpoints such as these.
func (s *standing) takes(rest []wanted) bool {
	return len(rest) > 0 && s.usable && s.family == rest[0].family && s.group == rest[0].group
}

func (p *Planner) room(s *standing) int {
	return p.options.MaxEndpoints - s.kept - len(s.added)
}

// fill adds as many endpoints to a slice as it has room for and returns the
// rest. To a slice whose ports change they are added once it has its new ones.
func (p *Planner) fill(at int32, rest []wanted) []wanted {
	s := &p.slices[at]
	count := min(max(p.room(s), 0), len(rest))
	if s.ports == portsWait {
		p.more = p.more || count > 0
		return rest[count:]
	}
	for _, w := range rest[:count] {
		s.added = append(s.added, w.endpoint)
		if p.want.Families[w.family].Endpoints[w.endpoint].ReadyNow() {
			p.publications = append(p.publications, publication{family: w.family, endpoint: w.endpoint, slice: at, position: none})
		}
	}
	if count > 0 {
		s.dirty = true
	}
	return rest[count:]
}

// createWith puts so many endpoints into a new slice and returns the rest.
func (p *Planner) createWith(rest []wanted, count int) []wanted {
	c := created{family: rest[0].family, group: rest[0].group}
	at := int32(len(p.slices) + len(p.created))
	for _, w := range rest[:count] {
		c.added = append(c.added, w.endpoint)
		if p.want.Families[w.family].Endpoints[w.endpoint].ReadyNow() {
			p.publications = append(p.publications, publication{family: w.family, endpoint: w.endpoint, slice: at, position: none})
		}
	}
	p.created = append(p.created, c)
	return rest[count:]
}
