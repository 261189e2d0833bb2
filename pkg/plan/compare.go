package plan

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/utils/ptr"

	"github.com/external-workload/controller/pkg/desired"
)

// same tells whether an endpoint stands as it is wanted now. Absent conditions
// mean what the API says they mean, except for ready, which has to be explicit.
func same(e *discoveryv1.Endpoint, w *desired.Endpoint) bool {
	c := &e.Conditions
	ready := w.ReadyNow()
	return e.Addresses[0] == w.Address &&
		c.Ready != nil && *c.Ready == ready &&
		ptr.Deref(c.Serving, ready) == w.ServingNow() &&
		ptr.Deref(c.Terminating, false) == w.Terminating &&
		ptr.Deref(e.Zone, "") == w.Workload.Zone &&
		ptr.Deref(e.Hostname, "") == w.Hostname &&
		e.NodeName == nil && len(e.DeprecatedTopology) == 0 &&
		hintOf(e) == w.HintNow() &&
		sameTarget(e.TargetRef, w.Workload)
}

// sameTarget compares what is left of a targetRef whose kind, namespace and
// name were found to be the workload's.
func sameTarget(ref *corev1.ObjectReference, w *desired.Workload) bool {
	return ref.UID == w.UID && ref.APIVersion == "" && ref.ResourceVersion == "" && ref.FieldPath == ""
}

// otherHint stands for hints that we never write.
const otherHint = "\x00"

// hintOf is the zone for which an endpoint is hinted, or empty.
func hintOf(e *discoveryv1.Endpoint) string {
	switch {
	case e.Hints == nil || len(e.Hints.ForZones) == 0 && len(e.Hints.ForNodes) == 0:
		return ""
	case len(e.Hints.ForZones) == 1 && len(e.Hints.ForNodes) == 0:
		return e.Hints.ForZones[0].Name
	default:
		return otherHint
	}
}

// sameMetadata tells whether the slice has exactly the wanted labels, and the
// Service as the owner that waits for its deletion.
func sameMetadata(object *discoveryv1.EndpointSlice, want *desired.State) bool {
	return maps.Equal(object.Labels, want.Labels) && hasOwner(object, want.Service)
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
