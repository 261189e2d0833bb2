package endpointslice

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// decoded returns a workload that shares no string or map with another, as a decoder
// returns it.
func decoded(name string, options ...build.WorkloadOption) *v1beta1.ExternalWorkload {
	w := build.Workload("shop/"+name, options...).DeepCopy()
	w.Namespace = strings.Clone(w.Namespace)
	for i := range w.Spec.Ports {
		w.Spec.Ports[i].Name = strings.Clone(w.Spec.Ports[i].Name)
	}
	for i := range w.Status.Conditions {
		w.Status.Conditions[i].Reason = strings.Clone(w.Status.Conditions[i].Reason)
	}
	return w
}

func trimmed(t *testing.T, s *shares, w *v1beta1.ExternalWorkload) *v1beta1.ExternalWorkload {
	t.Helper()
	object, err := s.trimWorkload(w)
	if err != nil {
		t.Fatal(err)
	}
	return object.(*v1beta1.ExternalWorkload)
}

func TestEqualPartsOfWorkloadsAreShared(t *testing.T) {
	s := newShares()
	a, b := trimmed(t, s, decoded("a")), trimmed(t, s, decoded("b"))
	if reflect.ValueOf(a.Labels).Pointer() != reflect.ValueOf(b.Labels).Pointer() {
		t.Error("equal labels are kept twice")
	}
	for what, texts := range map[string][2]string{
		"the namespace": {a.Namespace, b.Namespace},
		"a port's name": {a.Spec.Ports[0].Name, b.Spec.Ports[0].Name},
	} {
		if unsafe.StringData(texts[0]) != unsafe.StringData(texts[1]) {
			t.Errorf("%s, %q, is kept twice", what, texts[0])
		}
	}
}

// trimmedSlice trims a slice that shares nothing with another.
func trimmedSlice(t *testing.T, s *shares, slice *discoveryv1.EndpointSlice) *discoveryv1.EndpointSlice {
	t.Helper()
	object, err := s.trimSlice(slice.DeepCopy())
	if err != nil {
		t.Fatal(err)
	}
	return object.(*discoveryv1.EndpointSlice)
}

func TestEqualPartsOfSlicesAreShared(t *testing.T) {
	s := newShares()
	slice := build.Slice("shop/web-1", build.Endpoint("a", "192.0.2.1", func(e *discoveryv1.Endpoint) { e.Zone = new("east") }))
	first, second := trimmedSlice(t, s, slice), trimmedSlice(t, s, slice)
	if reflect.ValueOf(first.Labels).Pointer() != reflect.ValueOf(second.Labels).Pointer() {
		t.Error("equal labels are kept twice")
	}
	a, b := first.Endpoints[0], second.Endpoints[0]
	for what, shared := range map[string]bool{
		"addresses":  &a.Addresses[0] == &b.Addresses[0],
		"the target": a.TargetRef == b.TargetRef,
		"the zone":   a.Zone == b.Zone,
		"readiness":  a.Conditions.Ready == b.Conditions.Ready && a.Conditions.Serving == b.Conditions.Serving,
	} {
		if !shared {
			t.Errorf("equal parts are kept twice: %s", what)
		}
	}
}

func TestACachedSliceHasNoRoomForMoreEndpoints(t *testing.T) {
	slice := build.Slice("shop/web-1", build.Endpoint("a", "192.0.2.1"))
	slice.Endpoints = slices.Grow(slice.Endpoints, 100)
	object, err := newShares().trimSlice(slice)
	if err != nil {
		t.Fatal(err)
	}
	if room := cap(object.(*discoveryv1.EndpointSlice).Endpoints); room != 1 {
		t.Errorf("the list has room for %d more endpoints, want none", room-1)
	}
}

func TestKnownValuesTakeNoMemory(t *testing.T) {
	s := newShares()
	target, addresses, labels := &corev1.ObjectReference{UID: "a"}, []string{"192.0.2.1"}, map[string]string{"app": "web"}
	look := func() {
		s.text("east")
		s.targetOf(target)
		s.addressesOf(addresses)
		s.labelsOf(labels)
	}
	look()
	if allocations := testing.AllocsPerRun(100, look); allocations > 0 {
		t.Errorf("%v allocations, want none", allocations)
	}
}

func TestSharingChangesNoSlice(t *testing.T) {
	s := newShares()
	for _, option := range []build.EndpointOption{
		func(*discoveryv1.Endpoint) {},
		func(e *discoveryv1.Endpoint) { e.TargetRef.ResourceVersion = "2" },
		func(e *discoveryv1.Endpoint) { e.TargetRef.Name = "b" },
		func(e *discoveryv1.Endpoint) { e.Addresses = append(e.Addresses, "192.0.2.2") },
		func(e *discoveryv1.Endpoint) { e.Conditions = discoveryv1.EndpointConditions{} },
		func(e *discoveryv1.Endpoint) { e.Conditions.Ready = new(false) },
		func(e *discoveryv1.Endpoint) { e.Hostname, e.NodeName, e.Zone = new("a"), new("b"), new("") },
		func(e *discoveryv1.Endpoint) { *e = discoveryv1.Endpoint{} },
	} {
		want := build.Slice("shop/web-1", build.Endpoint("a", "192.0.2.1", option))
		if diff := cmp.Diff(want, trimmedSlice(t, s, want)); diff != "" {
			t.Errorf("sharing changed a slice (-before +after):\n%s", diff)
		}
	}
}

func TestSharingChangesNothing(t *testing.T) {
	s := newShares()
	for _, want := range []*v1beta1.ExternalWorkload{
		decoded("a"),
		decoded("b", build.NoLabels(), build.Label("app", "other")),
		decoded("c", build.NoLabels(), build.Label("other", "app")),
		decoded("d", build.NoLabels()),
		decoded("e", build.Drained()),
	} {
		if diff := cmp.Diff(want, trimmed(t, s, want.DeepCopy())); diff != "" {
			t.Errorf("sharing changed workload %s (-before +after):\n%s", want.Name, diff)
		}
	}
}

func TestSharesAreBounded(t *testing.T) {
	s := newShares()
	for i := range 3 * maxShares {
		value := fmt.Sprint(i)
		if got := s.text(value); got != value {
			t.Fatalf("text %q became %q", value, got)
		}
		if diff := cmp.Diff(map[string]string{"only": value}, s.labelsOf(map[string]string{"only": value})); diff != "" {
			t.Fatal(diff)
		}
		s.addressesOf([]string{value})
		s.targetOf(&corev1.ObjectReference{UID: types.UID(value)})
	}
	for what, have := range map[string]int{
		"texts": len(s.texts), "labels": len(s.labels), "addresses": len(s.addresses), "targets": len(s.targets),
	} {
		if have > maxShares {
			t.Errorf("%d %s are kept, want at most %d", have, what, maxShares)
		}
	}
}

func TestConditionOfADroppedManifestIsKept(t *testing.T) {
	workload := decoded("a")
	workload.Annotations = map[string]string{corev1.LastAppliedConfigAnnotation: `{"apiVersion":"workload.linkerd.io/v1beta1","kind":"ExternalWorkload",` +
		`"metadata":{"name":"a","namespace":"shop"},"status":{"conditions":[{"type":"Ready","status":"True"}]}}`}
	workload.Status.Conditions = nil
	want := map[string]string{v1beta1.InlineReadyAnnotation: "True"}
	if diff := cmp.Diff(want, trimmed(t, newShares(), workload).Annotations); diff != "" {
		t.Errorf("annotations kept (-want +got):\n%s", diff)
	}
}
