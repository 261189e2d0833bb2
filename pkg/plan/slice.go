package plan

import (
	"cmp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/external-workload/controller/pkg/desired"
)

// none is the index of no family or group.
const none = -1

// workloadKind is the kind in the targetRef of our endpoints.
const workloadKind = "ExternalWorkload"

// slice is an actual EndpointSlice or one to be created, with its endpoints.
type slice struct {
	// actual is the actual object; nil for a slice to be created.
	actual *discoveryv1.EndpointSlice
	// family is the index of its address family in the desired State, or none.
	family int
	// group is the index of its desired ports in that family, or none.
	group int32
	// usable is false for slices that another object owns or that are being deleted:
	// their endpoints have to move.
	usable bool
	// metadata is true if labels or owner have to change.
	metadata bool
	// ports says how the slice's ports change.
	ports portChange
	// identities is the record in IdentitiesAnnotation, if recorded is true.
	identities string
	recorded   bool
	// endpoints are those of the actual slice, in its order.
	endpoints []endpoint
	// added are the endpoints that are placed in this slice.
	added []endpoint
	// dirty is true if the slice is written even if no endpoint is added.
	dirty bool
	// unrecovered is true if the slice is deleted, or gets more ports, once consumers
	// have recovered.
	unrecovered bool
	// outdated is true if it has, until then, a port that is no longer desired, so that
	// no endpoint may be published with its ports.
	outdated bool
	// kept is the number of actual endpoints that stay.
	kept int
	// waitsFor are the slices that must be written before this one.
	waitsFor []int
}

// endpoint is one endpoint of a slice: its actual and desired state, and the action.
type endpoint struct {
	// actual is the actual endpoint; nil for an added one.
	actual *discoveryv1.Endpoint
	// target is the desired endpoint of its workload; nil if there is none.
	target *target
	// ready reports whether clients send traffic to the actual endpoint.
	ready  bool
	action Action
	reason Reason
}

// target is a desired endpoint, and where it is now.
type target struct {
	*desired.Endpoint
	// home is the actual endpoint that remains, or nil if it is in no slice.
	home *endpoint
	// copies is the number of slices of its family in which it is ready.
	copies int32
}

// servesNow reports whether a client may send traffic to the desired endpoint: it is
// ready, or it drains and clients may use draining endpoints if no other is ready.
func (t *target) servesNow() bool { return t.ReadyNow() || t.ServingNow() && t.Terminating }

// isReady interprets the condition as clients do: absent means true.
func isReady(e *discoveryv1.Endpoint) bool { return e.Conditions.Ready == nil || *e.Conditions.Ready }

// staysReady reports whether the endpoint is ready before and after this step.
func (e *endpoint) staysReady() bool {
	if !e.ready {
		return false
	}
	switch e.action {
	case Keep, Announce:
		return true
	case Set:
		return e.target.ReadyNow()
	default:
		return false
	}
}

// departs reports whether this step takes the endpoint away from clients.
func (e *endpoint) departs() bool { return e.ready && !e.staysReady() }

// read sets the actual slices, sorted by name, and finds the desired endpoint of each
// of their endpoints.
func (d *draft) read(actual []*discoveryv1.EndpointSlice) {
	total := 0
	for _, object := range actual {
		d.slices = append(d.slices, slice{actual: object, family: d.familyOf(object), group: none})
		total += len(object.Endpoints)
	}
	slices.SortFunc(d.slices, func(a, b slice) int {
		return cmp.Or(strings.Compare(a.actual.Name, b.actual.Name), strings.Compare(string(a.actual.UID), string(b.actual.UID)))
	})
	// There are pointers to the endpoints, so their memory must not move.
	d.endpoints = slices.Grow(d.endpoints[:0], total)[:total]
	rest := d.endpoints
	for i := range d.slices {
		s := &d.slices[i]
		size := len(s.actual.Endpoints)
		s.endpoints, rest = rest[:size:size], rest[size:]
		s.identities, s.recorded = s.actual.Annotations[IdentitiesAnnotation]
		s.usable = s.family != none && s.actual.DeletionTimestamp == nil && ownedBy(s.actual, d.desired.Service)
		s.metadata = s.usable && !sameMetadata(s.actual, d.desired)
		d.match(s)
		if s.usable {
			d.chooseGroup(s)
		}
	}
	d.findHomes()
}

// familyOf returns the index of the slice's address family in the desired State.
func (d *draft) familyOf(object *discoveryv1.EndpointSlice) int {
	return slices.IndexFunc(d.desired.Families, func(f desired.Family) bool { return f.AddressType == object.AddressType })
}

// ownedBy reports whether the Service owns the slice, or no object does.
func ownedBy(object *discoveryv1.EndpointSlice, service *corev1.Service) bool {
	for i := range object.OwnerReferences {
		if owner := &object.OwnerReferences[i]; owner.Controller != nil && *owner.Controller {
			return owner.UID == service.UID
		}
	}
	return true
}

// match finds the desired endpoint of each endpoint of a slice. Slices are usually
// sorted by name, so it tries the one after the last match first.
func (d *draft) match(s *slice) {
	for i := range s.endpoints {
		actual := &s.actual.Endpoints[i]
		s.endpoints[i] = endpoint{actual: actual, ready: isReady(actual)}
	}
	if s.family == none {
		return
	}
	targets, next := d.targets[s.family], 0
	for i := range s.endpoints {
		e := &s.endpoints[i]
		name, valid := workloadOf(e.actual, d.desired.Service.Namespace)
		if !valid {
			continue
		}
		if next >= len(targets) || targets[next].Workload.Name != name {
			next, valid = slices.BinarySearchFunc(targets, name, func(t target, name string) int {
				return strings.Compare(t.Workload.Name, name)
			})
		}
		if !valid {
			continue
		}
		t := &targets[next]
		next++
		if address := e.actual.Addresses[0]; address != t.Address && refusedAddress(address, s.actual.AddressType) {
			e.reason = AddressRefused
			continue
		}
		e.target = t
	}
}

// workloadOf returns the name of the workload that an endpoint refers to. Only an
// endpoint with one address and a full targetRef counts: any other was not
// written by us, and clients misread it.
func workloadOf(e *discoveryv1.Endpoint, namespace string) (string, bool) {
	ref := e.TargetRef
	if ref == nil || ref.Kind != workloadKind || ref.Namespace != namespace || len(e.Addresses) != 1 {
		return "", false
	}
	return ref.Name, true
}

// findHomes selects, for every desired endpoint, which of its actual copies remains:
// the first one, even if it is withdrawn there and ready elsewhere, so that the
// selection does not change from step to step.
func (d *draft) findHomes() {
	for i := range d.slices {
		s := &d.slices[i]
		for j := range s.endpoints {
			e := &s.endpoints[j]
			t := e.target
			if t == nil {
				continue
			}
			if s.usable && t.Group == s.group && t.home == nil {
				t.home = e
			}
			if e.ready {
				t.copies++
			}
		}
	}
}
