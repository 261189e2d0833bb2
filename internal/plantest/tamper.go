package plantest

import (
	"reflect"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/external-workload/controller/internal/plantest/sliceapi"
)

// tamper makes a foreign write to one of the slices. A write that the API server refuses
// has no effect.
func tamper(api *sliceapi.API, which, how int) {
	stored := api.List()
	if len(stored) == 0 {
		return
	}
	slice := stored[which%len(stored)]
	way := tamperings[how%len(tamperings)]
	switch {
	case way.delete:
		_ = api.Delete(slice.Name, metav1.Preconditions{})
	case way.duplicate:
		duplicate := slice.DeepCopy()
		duplicate.ObjectMeta = metav1.ObjectMeta{
			Namespace: slice.Namespace, GenerateName: "copy-", Labels: slice.Labels, OwnerReferences: slice.OwnerReferences,
		}
		_, _ = api.Create(duplicate)
	case way.older:
		changed := slice.DeepCopy()
		way.change(changed, nil)
		if !reflect.DeepEqual(changed, slice) {
			api.Keep(changed)
		}
	default:
		changed := slice.DeepCopy()
		way.change(changed, stored[(which+1)%len(stored)])
		_, _ = api.Update(changed)
	}
}

// unmark removes the annotations of the slices, as if another controller had written them.
func unmark(api *sliceapi.API) {
	for _, slice := range api.List() {
		changed := *slice
		changed.Annotations = nil
		_, _ = api.Update(&changed)
	}
}

// tampering changes a slice. other is another slice, or the same if there is only one.
type tampering struct {
	delete, duplicate bool
	// older is true if an older API server accepted the change.
	older  bool
	change func(slice, other *discoveryv1.EndpointSlice)
}

// toFirst changes the first endpoint, if there is one.
func toFirst(change func(*discoveryv1.Endpoint)) tampering {
	return tampering{change: func(slice, _ *discoveryv1.EndpointSlice) {
		if len(slice.Endpoints) > 0 {
			change(&slice.Endpoints[0])
		}
	}}
}

// byOlder returns a change that only an older API server accepts.
func byOlder(t tampering) tampering {
	t.older = true
	return t
}

var tamperings = []tampering{
	{delete: true},
	{duplicate: true},
	toFirst(func(e *discoveryv1.Endpoint) {
		if e.Addresses[0] != "192.0.2.99" {
			e.Addresses = []string{"192.0.2.99"}
		}
	}),
	toFirst(func(e *discoveryv1.Endpoint) { e.Addresses = []string{"192.0.2.2"} }),
	toFirst(func(e *discoveryv1.Endpoint) { e.Addresses = append(e.Addresses, e.Addresses[0]) }),
	toFirst(func(e *discoveryv1.Endpoint) { e.Conditions.Ready = ptr.To(false) }),
	toFirst(func(e *discoveryv1.Endpoint) { e.Conditions.Ready = ptr.To(true) }),
	toFirst(func(e *discoveryv1.Endpoint) { e.Conditions.Ready = nil }),
	toFirst(func(e *discoveryv1.Endpoint) { e.TargetRef = nil }),
	toFirst(func(e *discoveryv1.Endpoint) {
		e.TargetRef = &corev1.ObjectReference{Kind: "ExternalWorkload", Namespace: Namespace, Name: "w1", UID: "stranger"}
	}),
	toFirst(func(e *discoveryv1.Endpoint) {
		if e.TargetRef != nil {
			e.TargetRef = &corev1.ObjectReference{Kind: "ExternalWorkload", Name: e.TargetRef.Name, UID: "stranger"}
		}
	}),
	toFirst(func(e *discoveryv1.Endpoint) {
		e.Hints = &discoveryv1.EndpointHints{ForZones: []discoveryv1.ForZone{{Name: "nowhere"}}}
	}),
	{change: func(slice, _ *discoveryv1.EndpointSlice) { slice.Endpoints = nil }},
	{change: func(slice, _ *discoveryv1.EndpointSlice) {
		if len(slice.Endpoints) > 0 {
			slice.Endpoints = append(slice.Endpoints, slice.Endpoints[0])
		}
	}},
	{change: func(slice, other *discoveryv1.EndpointSlice) {
		if len(other.Endpoints) > 0 {
			slice.Endpoints = append(slice.Endpoints, other.Endpoints[0])
		}
	}},
	{change: func(slice, _ *discoveryv1.EndpointSlice) {
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{Addresses: []string{"192.0.2.98"}})
	}},
	{change: func(slice, _ *discoveryv1.EndpointSlice) { slices.Reverse(slice.Endpoints) }},
	{change: func(slice, _ *discoveryv1.EndpointSlice) { slice.Ports = nil }},
	{change: func(slice, _ *discoveryv1.EndpointSlice) {
		for i := range slice.Ports {
			slice.Ports[i].Port = ptr.To(int32(7070))
		}
	}},
	{change: func(slice, _ *discoveryv1.EndpointSlice) {
		for i := range slice.Ports {
			slice.Ports[i].Port = nil
		}
	}},
	{change: func(slice, _ *discoveryv1.EndpointSlice) { slice.Labels["stranger"] = "was-here" }},
	{change: func(slice, _ *discoveryv1.EndpointSlice) { slice.Labels[corev1.IsHeadlessService] = "" }},
	{change: func(slice, _ *discoveryv1.EndpointSlice) { delete(slice.Labels, "team") }},
	{change: func(slice, _ *discoveryv1.EndpointSlice) { slice.OwnerReferences = nil }},
	byOlder(toFirst(func(e *discoveryv1.Endpoint) {
		e.Addresses = []string{strings.Replace(e.Addresses[0], "192.0.", "192.000.", 1)}
	})),
	byOlder(toFirst(func(e *discoveryv1.Endpoint) { e.Addresses = []string{strings.ToUpper(e.Addresses[0])} })),
	byOlder(toFirst(func(e *discoveryv1.Endpoint) { e.Hostname = ptr.To("Not_A_Label") })),
	byOlder(toFirst(func(e *discoveryv1.Endpoint) { e.NodeName = ptr.To("not a node") })),
	byOlder(toFirst(func(e *discoveryv1.Endpoint) {
		e.Hints = &discoveryv1.EndpointHints{ForNodes: []discoveryv1.ForNode{{Name: "not a node"}}}
	})),
	byOlder(tampering{change: func(slice, _ *discoveryv1.EndpointSlice) {
		for i := range slice.Ports {
			slice.Ports[i].AppProtocol = ptr.To("not a protocol")
		}
	}}),
}
