package plan

// decide chooses an action for every endpoint of the actual slices, independently of
// the others. Vetoes handle the effects on other endpoints.
func (d *draft) decide() {
	for i := range d.slices {
		s := &d.slices[i]
		s.dirty = s.metadata || s.ports == portsExtend || s.ports == portsSwitch
		for j := range s.endpoints {
			e := &s.endpoints[j]
			e.action, e.reason = decide(s, e, j)
			// A veto decides whether ports change in this step.
			if e.action != Keep && (e.reason != PortsChanged || s.ports != portsWait) {
				s.dirty = true
			}
			if e.action != Remove {
				s.kept++
			}
		}
	}
}

// decide chooses the action for the endpoint at a position of a slice.
func decide(s *slice, e *endpoint, position int) (Action, Reason) {
	t := e.target
	switch {
	case t == nil && e.reason == AddressRefused:
		return Remove, AddressRefused
	case t == nil:
		return Remove, NotDesired
	case t.home != e:
		return decideSurplus(e)
	case e.ready && t.ReadyNow():
		return decideReady(s, e, position)
	case e.ready && t.Held && sameTarget(e.actual.TargetRef, t.Workload):
		return decideHeld(s, e)
	case e.ready && s.ports.pending():
		return Withdraw, BecameUnready
	case s.ports.pending():
		return Keep, AwaitsPorts
	case s.outdated && !e.ready && t.servesNow():
		return Keep, AwaitsRecovery
	case s.ports == portsStay && same(e.actual, t.Endpoint):
		return Keep, AsDesired
	case !e.ready && t.Held:
		return Keep, Settling
	case t.ReadyNow():
		return Publish, BecameReady
	case e.ready:
		return Set, BecameUnready
	default:
		return Set, PropertiesChanged
	}
}

// decideSurplus chooses for an endpoint that has to leave this slice, because it is in
// another one too or is not desired. A client keeps one entry for both copies, so the
// copy that stays is withdrawn first if it is to be ready.
func decideSurplus(e *endpoint) (Action, Reason) {
	home := e.target.home
	switch {
	case home == nil:
		return Remove, BelongsElsewhere
	case home.ready && e.ready && e.target.ReadyNow():
		return Keep, AwaitsCopy
	default:
		return Remove, PublishedTwice
	}
}

// decideHeld chooses for an endpoint that is ready although it is held. It keeps the
// values that clients already use, unless it has to be withdrawn.
func decideHeld(s *slice, e *endpoint) (Action, Reason) {
	switch {
	case e.actual.Addresses[0] != e.target.Address:
		return Withdraw, AddressChanged
	case e.target.copies > 1:
		return Withdraw, PublishedTwice
	case s.ports.pending():
		return Withdraw, PortsChanged
	default:
		return Keep, Settling
	}
}

// decideReady chooses for an endpoint that is ready and desired as ready.
func decideReady(s *slice, e *endpoint, position int) (Action, Reason) {
	t := e.target
	changed := !s.recordsIdentity(position, e.actual, t.Workload)
	switch {
	case e.actual.Addresses[0] != t.Address:
		return Withdraw, AddressChanged
	case t.copies > 1:
		return Withdraw, PublishedTwice
	case s.ports.pending():
		return Withdraw, PortsChanged
	case changed && zoneHintOf(e.actual) == t.ZoneHint && t.ZoneHint != "":
		return Announce, IdentityChanged
	case changed && zoneHintOf(e.actual) == t.ZoneHint:
		return Withdraw, IdentityChanged
	case s.ports == portsStay && same(e.actual, t.Endpoint):
		return Keep, AsDesired
	case s.ports != portsStay && same(e.actual, t.Endpoint):
		return Set, PortsChanged
	default:
		return Set, PropertiesChanged
	}
}

// newEndpoint returns an endpoint that is added to a slice.
func newEndpoint(t *target) endpoint {
	e := endpoint{target: t, action: Set, reason: New}
	if t.ReadyNow() {
		e.action = Publish
	}
	return e
}
