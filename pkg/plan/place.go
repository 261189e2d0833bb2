package plan

import (
	"cmp"
	"slices"
)

// unplaced is a desired endpoint that is in no slice.
type unplaced struct {
	family int
	target *target
}

// place selects a slice for every desired endpoint that is in none.
func (d *draft) place() {
	d.unplaced = d.unplaced[:0]
	for f := range d.targets {
		for i := range d.targets[f] {
			if t := &d.targets[f][i]; t.home == nil && !t.Held {
				d.unplaced = append(d.unplaced, unplaced{family: f, target: t})
			}
		}
	}
	slices.SortStableFunc(d.unplaced, func(a, b unplaced) int {
		return cmp.Or(cmp.Compare(a.family, b.family), cmp.Compare(a.target.Group, b.target.Group))
	})
	for rest := d.unplaced; len(rest) > 0; {
		end := 1
		for end < len(rest) && rest[end].family == rest[0].family && rest[end].target.Group == rest[0].target.Group {
			end++
		}
		d.placeGroup(rest[:end])
		rest = rest[end:]
	}
}

// placeGroup places endpoints with the same ports so that few slices are written: first
// in slices that are written anyway, then in as many full new slices as needed, then
// the rest in the fullest slice with room for all of it, or in a new one.
func (d *draft) placeGroup(rest []unplaced) {
	for i := range d.slices {
		if s := &d.slices[i]; s.dirty && s.takes(rest) {
			rest = s.add(rest, d.room(s))
		}
	}
	for len(rest) >= d.options.MaxEndpoints {
		rest = d.create(rest, d.options.MaxEndpoints)
	}
	if len(rest) == 0 {
		return
	}
	best := none
	for i := range d.slices {
		s := &d.slices[i]
		if s.takes(rest) && d.room(s) >= len(rest) && (best == none || d.room(s) < d.room(&d.slices[best])) {
			best = i
		}
	}
	if best == none {
		d.create(rest, len(rest))
		return
	}
	d.slices[best].add(rest, len(rest))
}

// takes reports whether the slice exists and has these ports.
func (s *slice) takes(rest []unplaced) bool {
	return len(rest) > 0 && s.actual != nil && s.usable && s.family == rest[0].family && s.group == rest[0].target.Group
}

// room returns the number of endpoints that the slice has room for.
func (d *draft) room(s *slice) int {
	return max(d.options.MaxEndpoints-s.kept-len(s.added), 0)
}

// add adds as many endpoints to a slice as it has room for and returns the rest. If the
// ports of the slice change, they are added after that change.
func (s *slice) add(rest []unplaced, room int) []unplaced {
	count := min(room, len(rest))
	s.added = slices.Grow(s.added, count)
	for _, u := range rest[:count] {
		e := newEndpoint(u.target)
		if s.ports.pending() {
			e.action, e.reason = Keep, AwaitsPorts
		}
		s.added = append(s.added, e)
	}
	return rest[count:]
}

// create puts up to a number of endpoints into a new slice and returns the rest. It
// creates none for a Service that is being deleted: the garbage collector deletes the
// slices before the Service, and would never finish.
func (d *draft) create(rest []unplaced, count int) []unplaced {
	if d.desired.Service.DeletionTimestamp == nil {
		s := slice{family: rest[0].family, group: rest[0].target.Group, usable: true}
		s.add(rest[:count], count)
		d.slices = append(d.slices, s)
	}
	return rest[count:]
}
