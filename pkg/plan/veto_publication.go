package plan

import "slices"

// publication is an endpoint that begins to get traffic.
type publication struct {
	endpoint *endpoint
	slice    int
	// waitsFor are the slices whose writes take away the endpoints that it replaces.
	waitsFor []int
	// vetoed tells that it has to come in a later step.
	vetoed bool
}

// vetoPublications makes every endpoint that begins to get traffic wait for the
// withdrawal of those that it replaces: of the same workload in another place,
// and of another workload with the same address and port. Where another slice's
// write withdraws them, it is published in this step, after that write. It is
// left to a later step where nothing withdraws them in this one. The publications
// that wait for writes are returned too.
func (d *draft) vetoPublications() (vetoes []veto, waiting []publication) {
	if len(d.endpoints) == 0 {
		return nil, nil
	}
	all := d.publications()
	if len(all) == 0 {
		return nil, nil
	}
	d.findConflicts(all)
	for i := range all {
		p := &all[i]
		switch {
		case p.vetoed:
			vetoes = append(vetoes, veto{p.endpoint, Keep, AwaitsWithdrawal})
		case len(p.waitsFor) > 0 && d.options.Recovering:
			vetoes = append(vetoes, veto{p.endpoint, Keep, AwaitsRecovery})
		case len(p.waitsFor) > 0:
			vetoes = append(vetoes, veto{p.endpoint, Publish, ReplacesAnother})
			waiting = append(waiting, *p)
		}
	}
	return vetoes, waiting
}

// publications are the endpoints for which Publish was decided.
func (d *draft) publications() []publication {
	all := d.published[:0]
	for i := range d.slices {
		s := &d.slices[i]
		for _, list := range [2][]endpoint{s.endpoints, s.added} {
			for j := range list {
				if e := &list[j]; e.action == Publish {
					all = append(all, publication{endpoint: e, slice: i})
				}
			}
		}
	}
	d.published = all
	return all
}

// findConflicts looks, for every endpoint that is ready, for publications that
// replace it.
func (d *draft) findConflicts(all []publication) {
	byName := make(map[string][]int, len(all))
	byAddress := make(map[string][]int, len(all))
	for i := range all {
		t := all[i].endpoint.target
		byName[t.Workload.Name] = append(byName[t.Workload.Name], i)
		byAddress[t.Address] = append(byAddress[t.Address], i)
	}
	for i := range d.slices {
		s := &d.slices[i]
		for j := range s.endpoints {
			e := &s.endpoints[j]
			if !e.ready {
				continue
			}
			name, _ := d.workloadOf(e.actual)
			for _, at := range byName[name] {
				if d.replacesCopy(&all[at], s, e) {
					all[at].waitFor(i, e)
				}
			}
			for _, address := range e.actual.Addresses {
				for _, at := range byAddress[address] {
					if d.replacesListener(&all[at], s, e) {
						all[at].waitFor(i, e)
					}
				}
			}
		}
	}
}

// waitFor makes a publication wait for the write of a slice that takes the
// endpoint away; or for a later step if none does so now. Whether a slice's
// ports change now is decided later.
func (p *publication) waitFor(slice int, e *endpoint) {
	if e.staysReady() || e.action == Withdraw && e.reason == PortsChanged {
		p.vetoed = true
		return
	}
	if !slices.Contains(p.waitsFor, slice) {
		p.waitsFor = append(p.waitsFor, slice)
	}
}

// replacesCopy reports whether an endpoint of the same workload is a copy in
// another place that it leaves. In the other address family it may remain.
func (d *draft) replacesCopy(p *publication, s *slice, e *endpoint) bool {
	if s.family == d.slices[p.slice].family {
		return true
	}
	return e.target == nil || !e.target.ReadyNow() || e.action == Remove
}

// replacesListener reports whether an endpoint with the same address is another
// workload's and overlaps with the published one's ports.
func (d *draft) replacesListener(p *publication, s *slice, e *endpoint) bool {
	if e.target == p.endpoint.target {
		return false
	}
	to := &d.slices[p.slice]
	return d.desired.Families[to.family].Groups[p.endpoint.target.Group].Overlaps(s.actual.Ports)
}

// vetoMixedWrites leaves to the next step the publications that wait for other
// writes where their slice has changes that must not wait: a withdrawal above
// all, which a refused write of another slice would hold back for ever. So a
// write that others wait for never waits itself.
func (d *draft) vetoMixedWrites(waiting []publication) []veto {
	var vetoes []veto
	last, urgent := none, false
	for i := range waiting {
		p := &waiting[i]
		if p.slice != last {
			last, urgent = p.slice, d.slices[p.slice].hasUrgentChange()
		}
		if urgent {
			vetoes = append(vetoes, veto{p.endpoint, Keep, AwaitsOwnWrite})
		}
	}
	return vetoes
}

// vetoFormerAddresses removes from slices that get new ports the endpoints that
// wait and still have their former address: with the new ports it may be another
// workload's, which kube-proxy would take for not ready with them.
func (d *draft) vetoFormerAddresses() []veto {
	var vetoes []veto
	for i := range d.slices {
		s := &d.slices[i]
		if s.ports != portsExtend && s.ports != portsSwitch {
			continue
		}
		for j := range s.endpoints {
			if e := &s.endpoints[j]; e.action == Keep && !e.ready && e.target != nil && e.actual.Addresses[0] != e.target.Address {
				vetoes = append(vetoes, veto{e, Remove, e.reason})
			}
		}
	}
	return vetoes
}

// depend records for each slice the slices whose writes it waits for.
func (d *draft) depend(waiting []publication) {
	for i := range waiting {
		p := &waiting[i]
		if p.endpoint.action != Publish {
			continue
		}
		s := &d.slices[p.slice]
		for _, other := range p.waitsFor {
			if !slices.Contains(s.waitsFor, other) {
				s.waitsFor = append(s.waitsFor, other)
			}
		}
	}
}

// hasUrgentChange reports whether the slice changes in a way that bears on
// traffic and waits for nothing.
func (s *slice) hasUrgentChange() bool {
	if s.metadata || s.ports == portsExtend || s.ports == portsSwitch {
		return true
	}
	for _, list := range [2][]endpoint{s.endpoints, s.added} {
		for i := range list {
			if list[i].urgent() {
				return true
			}
		}
	}
	return false
}

func (e *endpoint) urgent() bool {
	if e.action == Publish {
		return e.reason != ReplacesAnother
	}
	return e.action != Keep && e.ready
}
