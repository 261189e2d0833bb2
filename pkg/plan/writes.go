package plan

import "slices"

// urgency orders writes: first those that take endpoints away from clients, so that no
// other write delays them, then those that free slices of a quota.
type urgency uint8

const (
	withdraws urgency = iota
	deletes
	independent
	waits
	urgencies
)

// plan returns the plan that follows from the decisions.
func (d *draft) plan() Plan {
	plan := Plan{StepsLeft: d.stepsLeft()}
	order := d.order()
	if len(order) > 0 {
		plan.Writes = make([]Write, 0, len(order))
	}
	names := d.newNames()
	for _, at := range order {
		s := &d.slices[at]
		var w Write
		switch {
		case s.actual == nil:
			w = d.createWrite(s, names.next())
		case s.deletes():
			w = Write{Operation: Delete, Slice: s.actual, Trigger: d.options.Trigger, Reason: Empty}
		default:
			w = d.updateWrite(s)
		}
		for _, other := range s.waitsFor {
			w.After = append(w.After, slices.Index(order, other))
		}
		slices.Sort(w.After)
		plan.Writes = append(plan.Writes, w)
	}
	d.addWaiting(&plan)
	plan.Recovering = d.options.Recovering && d.awaitsRecovery()
	if plan.Recovering && plan.Empty() {
		plan.StepsLeft = 0
	}
	return plan
}

// order returns the slices that are written, by urgency.
func (d *draft) order() []int {
	var byUrgency [urgencies][]int
	for i := range d.slices {
		if u, written := d.slices[i].urgency(); written {
			byUrgency[u] = append(byUrgency[u], i)
		}
	}
	return slices.Concat(byUrgency[:]...)
}

// urgency reports whether the slice is written, and its urgency.
func (s *slice) urgency() (urgency, bool) {
	if s.deletes() {
		return deletes, s.actual.DeletionTimestamp == nil && !s.unrecovered
	}
	written := s.metadata || s.ports == portsExtend || s.ports == portsSwitch
	u := independent
	for i := range s.endpoints {
		if e := &s.endpoints[i]; e.action != Keep {
			written = true
			if e.departs() {
				u = withdraws
			}
		}
	}
	for i := range s.added {
		written = written || s.added[i].action != Keep
	}
	if len(s.waitsFor) > 0 {
		u = waits
	}
	return u, written
}

// deletes reports whether the slice is empty and is deleted.
func (s *slice) deletes() bool {
	return s.actual != nil && len(s.endpoints) == 0 && len(s.added) == 0
}

// stepsLeft returns the least number of steps that follow this one. Slices change
// their ports one at a time, in two steps each; everything else goes on in
// parallel.
func (d *draft) stepsLeft() int {
	left, portSteps, switching := 0, 0, false
	for i := range d.slices {
		s := &d.slices[i]
		for _, list := range [2][]endpoint{s.endpoints, s.added} {
			for j := range list {
				if list[j].stepFollows() {
					left = 1
				}
			}
		}
		switch {
		case s.empties() && s.actual.DeletionTimestamp == nil:
			left = 1
		case !s.ports.pending():
		case slices.ContainsFunc(s.endpoints, func(e endpoint) bool { return e.staysReady() }):
			portSteps += 2
		default:
			switching = true
		}
	}
	if switching {
		portSteps++
	}
	return max(left, portSteps)
}

// stepFollows reports whether the endpoint differs from the desired state after this
// step.
func (e *endpoint) stepFollows() bool {
	return e.action == Withdraw || e.action == Announce || (e.action == Keep || e.action == Remove) && e.reason.waits()
}

// empties reports whether the slice loses its last endpoint in this step.
func (s *slice) empties() bool {
	removed := func(e endpoint) bool { return e.action == Remove }
	added := func(e endpoint) bool { return e.action != Keep }
	return s.actual != nil && len(s.endpoints) > 0 &&
		!slices.ContainsFunc(s.endpoints, func(e endpoint) bool { return !removed(e) }) && !slices.ContainsFunc(s.added, added)
}

// changes returns the endpoints of the slice that change.
func (s *slice) changes() []Change {
	changed := func(list []endpoint) (n int) {
		for i := range list {
			if list[i].action != Keep {
				n++
			}
		}
		return n
	}
	all := make([]Change, 0, changed(s.endpoints)+changed(s.added))
	for _, list := range [2][]endpoint{s.endpoints, s.added} {
		for i := range list {
			if list[i].action != Keep {
				all = append(all, list[i].change())
			}
		}
	}
	return all
}

// change describes what becomes of the endpoint.
func (e *endpoint) change() Change {
	c := Change{Action: e.action, Reason: e.reason}
	if e.target != nil {
		c.Workload, c.Address = e.target.Workload.Name, e.target.Address
	} else if e.actual.TargetRef != nil {
		c.Workload = e.actual.TargetRef.Name
	}
	if e.actual != nil && len(e.actual.Addresses) > 0 && e.action != Set && e.action != Publish {
		c.Address = e.actual.Addresses[0]
	}
	return c
}

// addWaiting adds the endpoints that wait.
func (d *draft) addWaiting(plan *Plan) {
	for i := range d.slices {
		s := &d.slices[i]
		name := ""
		if s.actual != nil {
			name = s.actual.Name
		}
		for _, list := range [2][]endpoint{s.endpoints, s.added} {
			for j := range list {
				if e := &list[j]; e.action == Keep && e.reason != AsDesired {
					plan.Waiting = append(plan.Waiting, Waiting{Slice: name, Change: e.change()})
				}
			}
		}
	}
}
