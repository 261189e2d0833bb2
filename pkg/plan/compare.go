package plan

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/utils/ptr"

	"github.com/external-workload/controller/pkg/desired"
)

// same reports whether an endpoint is as it is desired now. Absent conditions have the
// meaning that the API documents, except for ready, which must be set.
func same(e *discoveryv1.Endpoint, t *desired.Endpoint) bool {
	c := &e.Conditions
	ready := t.ReadyNow()
	zone, node := t.HintsNow()
	return e.Addresses[0] == t.Address &&
		c.Ready != nil && *c.Ready == ready &&
		ptr.Deref(c.Serving, ready) == t.ServingNow() &&
		ptr.Deref(c.Terminating, false) == t.Terminating &&
		ptr.Deref(e.Zone, "") == t.Zone &&
		ptr.Deref(e.Hostname, "") == t.Hostname &&
		e.NodeName == nil && len(e.DeprecatedTopology) == 0 &&
		zoneHintOf(e) == zone && nodeHintOf(e) == node &&
		sameTarget(e.TargetRef, t.Workload)
}

// sameTarget compares the rest of a targetRef whose kind, namespace and name match the
// workload.
func sameTarget(ref *corev1.ObjectReference, w *desired.Workload) bool {
	return ref.UID == w.UID && ref.APIVersion == "" && ref.ResourceVersion == "" && ref.FieldPath == ""
}

// severalHints represents hints that this controller never writes.
const severalHints = "\x00"

// zoneHintOf returns the zone for which an endpoint is hinted, or empty.
func zoneHintOf(e *discoveryv1.Endpoint) string {
	switch {
	case e.Hints == nil || len(e.Hints.ForZones) == 0:
		return ""
	case len(e.Hints.ForZones) == 1:
		return e.Hints.ForZones[0].Name
	default:
		return severalHints
	}
}

// nodeHintOf returns the node for which an endpoint is hinted, or empty.
func nodeHintOf(e *discoveryv1.Endpoint) string {
	switch {
	case e.Hints == nil || len(e.Hints.ForNodes) == 0:
		return ""
	case len(e.Hints.ForNodes) == 1:
		return e.Hints.ForNodes[0].Name
	default:
		return severalHints
	}
}

// sameMetadata reports whether the slice has exactly the desired labels, and the
// Service as the owner that blocks on its deletion.
func sameMetadata(object *discoveryv1.EndpointSlice, state *desired.State) bool {
	return maps.Equal(object.Labels, state.Labels) && hasOwner(object, state.Service)
}

func hasOwner(object *discoveryv1.EndpointSlice, service *corev1.Service) bool {
	for i := range object.OwnerReferences {
		owner := &object.OwnerReferences[i]
		if owner.UID == service.UID && ptr.Deref(owner.Controller, false) && ptr.Deref(owner.BlockOwnerDeletion, false) {
			return true
		}
	}
	return false
}
