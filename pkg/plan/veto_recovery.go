package plan

import "slices"

// vetoUnrecovered leaves to a later time what is safe only if consumers have
// seen an earlier write, while they may not have: one that lists again after an
// interruption sees only the last of several writes. An address that was
// withdrawn and published with another value would seem to have changed in place.
// Nothing that takes an endpoint away from clients waits, but for the sake of a
// changed identity, which is taken away only to be announced again.
func (d *draft) vetoUnrecovered() []veto {
	if !d.options.Recovering {
		return nil
	}
	var vetoes []veto
	for i := range d.slices {
		s := &d.slices[i]
		s.unrecovered = s.unrecovered || s.deletes()
		for _, list := range [2][]endpoint{s.endpoints, s.added} {
			for j := range list {
				switch e := &list[j]; {
				case d.relies(s, e, j):
					vetoes = append(vetoes, veto{e, Keep, AwaitsRecovery})
				case e.replacesReady():
					// It leaves with its former address, so that the new one waits.
					vetoes = append(vetoes, veto{e, Withdraw, BecameUnready})
				}
			}
		}
	}
	return vetoes
}

// replacesReady reports whether a ready endpoint would become another one that is
// not ready: with another address, or of another object.
func (e *endpoint) replacesReady() bool {
	return e.action == Set && e.ready && !e.target.ReadyNow() &&
		(!sameTarget(e.actual.TargetRef, e.target.Workload) || e.actual.Addresses[0] != e.target.Address)
}

// relies reports whether what was decided for the endpoint at a position of the
// slice is safe only if consumers have seen an earlier write.
func (d *draft) relies(s *slice, e *endpoint, position int) bool {
	switch e.action {
	case Publish:
		// Where a workload is ready in one family only, it may have left the other.
		return e.actual == nil || d.desired.OneFamily || s.ports != portsStay || e.actual.Addresses[0] != e.target.Address ||
			!sameTarget(e.actual.TargetRef, e.target.Workload) || !s.recordsIdentity(position, e.actual, e.target.Workload)
	case Announce:
		return true
	case Withdraw:
		return e.reason == IdentityChanged
	case Set:
		if e.actual == nil || !e.ready && e.actual.Addresses[0] != e.target.Address {
			return true // what comes next would look like a change of readiness alone
		}
		// The hint that comes back ends an announcement.
		zone, _ := e.target.HintsNow()
		return e.ready && e.target.ReadyNow() && zoneHintOf(e.actual) != zone
	case Keep:
		return s.ports == portsRecover && e.reason == AwaitsPorts
	default:
		return false
	}
}

// recoversPorts reports whether a slice is in the middle of a change of its ports
// that goes on once consumers have recovered.
func (d *draft) recoversPorts() bool {
	return slices.ContainsFunc(d.slices, func(s slice) bool { return s.ports == portsRecover })
}

// awaitsRecovery reports whether anything waits until consumers have recovered.
func (d *draft) awaitsRecovery() bool {
	for i := range d.slices {
		s := &d.slices[i]
		if s.unrecovered || s.ports == portsRecover {
			return true
		}
		for _, list := range [2][]endpoint{s.endpoints, s.added} {
			if slices.ContainsFunc(list, func(e endpoint) bool { return e.action == Keep && e.reason == AwaitsRecovery }) {
				return true
			}
		}
	}
	return false
}
