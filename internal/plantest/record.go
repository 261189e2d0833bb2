package plantest

import (
	"maps"
	"reflect"
	"slices"

	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/external-workload/controller/internal/plantest/consumers"
)

// record is what is desired, now and since the last quiet point.
type record struct {
	writes int
	want   []expected
	// since holds the endpoints that were desired at some moment since the last quiet
	// point. Consumers may serve only these.
	since []expected
	// stable are the endpoints that were desired all the time. They must be served after
	// every write.
	stable []expected
	// identities are the identities of each workload since the last quiet point.
	identities []identityOfWorkload
	// tamperings and changes count the foreign writes and the changes by users since then.
	tamperings, changes int
	// lossy is set if Linkerd's clients may have lost an endpoint permanently.
	lossy bool
	// spread is set while the only change is one of the Service's ports, the same for all
	// endpoints, which are ready in several slices.
	spread bool
	// spoiled are the names and addresses in foreign writes. Their state in Linkerd's
	// clients depends on writes that no controller saw.
	spoiled []string
	// diverged is set once Linkerd's state differs from the slices through no fault of the
	// controller.
	diverged bool
}

type identityOfWorkload struct {
	workload string
	identity consumers.Identity
}

// beginPeriod forgets what happened before this quiet point.
func (r *record) beginPeriod(setup *Setup, w *world) {
	r.want = expect(setup, w.service, w.selected())
	r.since = slices.Clone(r.want)
	r.stable = slices.Clone(r.want)
	r.identities, r.spoiled = r.identities[:0], nil
	r.tamperings, r.changes, r.lossy, r.spread = 0, 0, false, false
	r.noteIdentities(w)
}

// changed records a change of the world.
func (r *record) changed(setup *Setup, w *world) {
	r.changes++
	before := r.want
	r.want = expect(setup, w.service, w.selected())
	r.spread = r.changes == 1 && onlyPortsDiffer(before, r.want)
	for i := range r.want {
		if !slices.ContainsFunc(r.since, r.want[i].servesLike) {
			r.since = append(r.since, r.want[i])
		}
	}
	r.stable = slices.DeleteFunc(r.stable, func(e expected) bool {
		return !slices.ContainsFunc(r.want, func(now expected) bool { return now.sameToClients(&e) && now.workload == e.workload })
	})
	r.noteIdentities(w)
}

// onlyPortsDiffer reports whether the same endpoints are ready before and after, and all
// have the same ports before and the same ports after.
func onlyPortsDiffer(before, after []expected) bool {
	if len(before) != len(after) || len(before) == 0 {
		return false
	}
	for i := range before {
		a, b := before[i], after[i]
		if len(a.ports) == 0 || len(b.ports) == 0 || !slices.Equal(a.ports, before[0].ports) || !slices.Equal(b.ports, after[0].ports) {
			return false
		}
		a.ports = b.ports
		if !a.sameToClients(&b) || a.family != before[0].family {
			return false
		}
	}
	return true
}

func (r *record) noteIdentities(w *world) {
	for _, workload := range w.workloads {
		has := identityOfWorkload{workload.Name, identityOf(workload)}
		if !slices.Contains(r.identities, has) {
			r.identities = append(r.identities, has)
		}
	}
}

// spoil records what a foreign write touched.
func (r *record) spoil(previous, current *discoveryv1.EndpointSlice) {
	whole := previous == nil || current == nil || !reflect.DeepEqual(previous.Ports, current.Ports) ||
		!maps.Equal(previous.Labels, current.Labels)
	spoilEach := func(of, other *discoveryv1.EndpointSlice) {
		if of == nil {
			return
		}
		for i := range of.Endpoints {
			e := &of.Endpoints[i]
			if !whole && count(of.Endpoints, e) == count(other.Endpoints, e) {
				continue
			}
			r.spoiled = append(r.spoiled, e.Addresses...)
			if e.TargetRef != nil {
				r.spoiled = append(r.spoiled, e.TargetRef.Name)
			}
		}
	}
	spoilEach(previous, current)
	spoilEach(current, previous)
}

// spoilUnrecorded records, at a restart of the controller, the workloads in slices without
// annotations, as another controller writes them. The identity with which they were
// published is not recorded, so a change that was not yet published is lost.
func (r *record) spoilUnrecorded(stored []*discoveryv1.EndpointSlice) {
	for _, slice := range stored {
		if len(slice.Annotations) > 0 {
			continue
		}
		for i := range slice.Endpoints {
			if ref := slice.Endpoints[i].TargetRef; ref != nil && r.hadSeveralIdentities(ref.Name) {
				r.spoiled, r.lossy = append(r.spoiled, ref.Name), true
			}
		}
	}
}

func (r *record) hadSeveralIdentities(workload string) bool {
	has := 0
	for _, identity := range r.identities {
		if identity.workload == workload {
			has++
		}
	}
	return has > 1
}

// spoils reports whether a foreign write touched the address or a workload that has it.
func (r *record) spoils(address string) bool {
	return slices.Contains(r.spoiled, address) ||
		slices.ContainsFunc(r.since, func(e expected) bool { return e.address == address && r.isSpoiled(&e) })
}

// count returns the number of times that exactly this endpoint is in the list.
func count(endpoints []discoveryv1.Endpoint, endpoint *discoveryv1.Endpoint) int {
	n := 0
	for i := range endpoints {
		if reflect.DeepEqual(&endpoints[i], endpoint) {
			n++
		}
	}
	return n
}

func (r *record) isSpoiled(e *expected) bool {
	return slices.Contains(r.spoiled, e.workload) || slices.Contains(r.spoiled, e.address)
}

// allows reports whether the socket behind the named port belongs to an endpoint that was
// desired at some moment since the last quiet point.
func (r *record) allows(port string, socket consumers.Socket, used func(*expected) bool) bool {
	for i := range r.since {
		e := &r.since[i]
		if e.address == socket.Address && used(e) && e.has(port, socket.Port) {
			return true
		}
	}
	return r.spoils(socket.Address)
}

// allowsIdentity reports whether a workload had both the socket and the identity, each at
// some moment since the last quiet point.
func (r *record) allowsIdentity(socket consumers.Socket, identity consumers.Identity) bool {
	for i := range r.since {
		e := &r.since[i]
		if e.address == socket.Address && slices.Contains(r.identities, identityOfWorkload{e.workload, identity}) {
			return true
		}
	}
	return r.spoils(socket.Address)
}

func (e *expected) has(port string, number int32) bool {
	for _, p := range e.ports {
		if p.name == port && p.number == number {
			return true
		}
	}
	return false
}

func ready(e *expected) bool { return e.ready }

func readyOrDraining(e *expected) bool { return e.ready || e.serving && e.terminating }
