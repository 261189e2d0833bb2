package endpointslice

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clienttesting "k8s.io/client-go/testing"

	"github.com/external-workload/controller/internal/apifake"
	"github.com/external-workload/controller/internal/build"
)

// ofTheServer are the fields in which a repaired slice may differ: the API server sets
// them.
var ofTheServer = cmpopts.IgnoreFields(metav1.ObjectMeta{}, "ResourceVersion", "Generation", "UID", "CreationTimestamp", "Annotations")

func TestTamperingIsRepaired(t *testing.T) {
	for name, tamper := range map[string]func(*discoveryv1.EndpointSlice){
		"a label is added":                func(s *discoveryv1.EndpointSlice) { s.Labels["colour"] = "red" },
		"a label of the Service is gone":  func(s *discoveryv1.EndpointSlice) { delete(s.Labels, "team") },
		"the Service's name is gone":      func(s *discoveryv1.EndpointSlice) { delete(s.Labels, discoveryv1.LabelServiceName) },
		"the Service's name is another":   func(s *discoveryv1.EndpointSlice) { s.Labels[discoveryv1.LabelServiceName] = "other" },
		"managed-by is empty":             func(s *discoveryv1.EndpointSlice) { s.Labels[discoveryv1.LabelManagedBy] = "" },
		"managed-by is gone":              func(s *discoveryv1.EndpointSlice) { delete(s.Labels, discoveryv1.LabelManagedBy) },
		"all labels are gone":             func(s *discoveryv1.EndpointSlice) { s.Labels = nil },
		"the owner is gone":               func(s *discoveryv1.EndpointSlice) { s.OwnerReferences = nil },
		"an endpoint is gone":             func(s *discoveryv1.EndpointSlice) { s.Endpoints = s.Endpoints[:1] },
		"all endpoints are gone":          func(s *discoveryv1.EndpointSlice) { s.Endpoints = nil },
		"an endpoint has another address": func(s *discoveryv1.EndpointSlice) { s.Endpoints[0].Addresses[0] = "192.0.2.66" },
		"an endpoint is not ready":        func(s *discoveryv1.EndpointSlice) { *s.Endpoints[0].Conditions.Ready = false },
		"an endpoint has no targetRef":    func(s *discoveryv1.EndpointSlice) { s.Endpoints[0].TargetRef = nil },
		"a foreign endpoint is added":     func(s *discoveryv1.EndpointSlice) { s.Endpoints = append(s.Endpoints, s.Endpoints[0]) },
		"a port has another number":       func(s *discoveryv1.EndpointSlice) { *s.Ports[0].Port = 6666 },
		"all ports are gone":              func(s *discoveryv1.EndpointSlice) { s.Ports = nil },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, given(
				build.Service("shop/web", build.Label("team", "shop")),
				build.Workload("shop/a"),
				build.Workload("shop/b", build.IPs("192.0.2.2")),
			), func(w *world) {
				before := w.slice()
				tampered := before.DeepCopy()
				tamper(tampered)
				w.put(tampered)
				w.pass(time.Second)
				if diff := cmp.Diff(before, w.slice(), ofTheServer, byTarget); diff != "" {
					t.Errorf("-want +got\n%s", diff)
				}
				w.do(func() {
					if w.foreign != 1 {
						t.Errorf("%d foreign writes were counted, want 1", w.foreign)
					}
				})
				w.writes()
				w.pass(time.Hour)
				w.mustWrite()
			})
		})
	}
}

func TestSliceWithoutServiceNameAndOwnerIsReplaced(t *testing.T) {
	inWorld(t, given(build.Service("shop/web"), build.Workload("shop/a")), func(w *world) {
		lost := w.slice().DeepCopy()
		delete(lost.Labels, discoveryv1.LabelServiceName)
		lost.OwnerReferences = nil
		w.put(lost)
		w.pass(time.Minute)
		if now := w.slice(); len(now.OwnerReferences) != 1 || len(now.Endpoints) != 1 {
			t.Errorf("the Service has %+v, want a slice of its own with one endpoint", now)
		}
	})
}

func TestDeletionAnsweredNotFoundIsRetriedWhileTheSliceExists(t *testing.T) {
	inWorld(t, given(build.Service("shop/web"), build.Workload("shop/a")), func(w *world) {
		refused := false
		w.api.Fail(func(action clienttesting.Action) *apifake.Failure {
			if action.GetVerb() != "delete" || action.GetResource().Resource != "endpointslices" || refused {
				return nil
			}
			refused = true
			return &apifake.Failure{Err: apierrors.NewNotFound(action.GetResource().GroupResource(), "slice")}
		})
		w.remove("service web")
		w.pass(time.Minute)
		if left := w.slices(); !refused || len(left) > 0 {
			t.Errorf("a deletion was refused: %t; %d slices are left, want none", refused, len(left))
		}
	})
}

// byTarget ignores the order of endpoints.
var byTarget = cmpopts.SortSlices(func(a, b discoveryv1.Endpoint) bool { return a.TargetRef.Name < b.TargetRef.Name })

func TestDeletedSliceIsRecreated(t *testing.T) {
	inWorld(t, given(build.Service("shop/web"), build.Workload("shop/a")), func(w *world) {
		before := w.slice()
		w.writes()
		w.remove("slice " + before.Name)
		w.mustWrite("create")
		if diff := cmp.Diff(before, w.slice(), ofTheServer); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	})
}

func TestSliceTakenOverByAnotherManagerIsLeftAlone(t *testing.T) {
	inWorld(t, given(build.Service("shop/web"), build.Workload("shop/a")), func(w *world) {
		taken := w.slice()
		taken.Labels[discoveryv1.LabelManagedBy] = "others"
		w.put(taken)
		w.pass(time.Second)
		all := w.slices()
		if len(all) != 2 {
			t.Fatalf("there are %d slices, want theirs and a new one", len(all))
		}
		for _, slice := range all {
			if slice.UID == taken.UID && slice.Labels[discoveryv1.LabelManagedBy] != "others" {
				t.Error("the controller took the slice back")
			}
		}
	})
}
