package integration

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/external-workload/controller/internal/build"
)

// TestTampering changes one of our slices in every way that the API server accepts.
func TestTampering(t *testing.T) {
	s := newSite(t, sharedPlane(t))
	s.workload("a")
	s.workload("b", build.IPs("192.0.2.2"))
	line := "IPv4 http:8080/TCP | a 192.0.2.1 | b 192.0.2.2"
	// Each has its own Service, because repeated foreign writes are repaired slowly.
	renew := func(s *site) (end func()) {
		s.t.Helper()
		s.service("web", build.Label("team", "shop"))
		s.waitFor("web", line)
		return func() {
			s.remove("web")
			s.waitFor("web")
		}
	}
	for name, tamper := range map[string]func(*discoveryv1.EndpointSlice){
		"a label is added":               func(s *discoveryv1.EndpointSlice) { s.Labels["colour"] = "red" },
		"a label of the Service is gone": func(s *discoveryv1.EndpointSlice) { delete(s.Labels, "team") },
		"the Service's name is gone":     func(s *discoveryv1.EndpointSlice) { delete(s.Labels, discoveryv1.LabelServiceName) },
		"managed-by is empty":            func(s *discoveryv1.EndpointSlice) { s.Labels[discoveryv1.LabelManagedBy] = "" },
		"managed-by is gone":             func(s *discoveryv1.EndpointSlice) { delete(s.Labels, discoveryv1.LabelManagedBy) },
		"all labels are gone":            func(s *discoveryv1.EndpointSlice) { s.Labels = nil },
		"the owner is gone":              func(s *discoveryv1.EndpointSlice) { s.OwnerReferences = nil },
		"an endpoint is gone":            func(s *discoveryv1.EndpointSlice) { s.Endpoints = s.Endpoints[:1] },
		"all endpoints are gone":         func(s *discoveryv1.EndpointSlice) { s.Endpoints = nil },
		"an endpoint has another address": func(s *discoveryv1.EndpointSlice) {
			s.Endpoints[0].Addresses[0] = "192.0.2.66"
		},
		"an endpoint is not ready":     func(s *discoveryv1.EndpointSlice) { *s.Endpoints[0].Conditions.Ready = false },
		"an endpoint has no targetRef": func(s *discoveryv1.EndpointSlice) { s.Endpoints[0].TargetRef = nil },
		"a port has another number":    func(s *discoveryv1.EndpointSlice) { *s.Ports[0].Port = 6666 },
		"a port has no number":         func(s *discoveryv1.EndpointSlice) { s.Ports[0].Port = nil },
		"all ports are gone":           func(s *discoveryv1.EndpointSlice) { s.Ports = nil },
	} {
		t.Run(name, func(t *testing.T) {
			s := s.within(t)
			defer renew(s)()
			before := s.slicesOf("web")
			tampered := before[0].DeepCopy()
			tamper(tampered)
			if _, err := s.core.DiscoveryV1().EndpointSlices(s.namespace).Update(t.Context(), tampered, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
			s.eventually("the slice is as it was", func() (bool, string) {
				diff := cmp.Diff(before, s.slicesOf("web"), repaired)
				return diff == "", diff
			})
		})
	}
	t.Run("the slice is deleted", func(t *testing.T) {
		s := s.within(t)
		defer renew(s)()
		name := s.slicesOf("web")[0].Name
		if err := s.core.DiscoveryV1().EndpointSlices(s.namespace).Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		s.waitFor("web", line)
	})
}

// repaired ignores the fields that a repair may change.
var repaired = cmpopts.IgnoreFields(metav1.ObjectMeta{}, "ResourceVersion", "Generation", "UID", "CreationTimestamp", "ManagedFields", "Annotations")

func TestSlicesOfOthersAreNotTouched(t *testing.T) {
	s := newSite(t, sharedPlane(t))
	theirs, err := s.core.DiscoveryV1().EndpointSlices(s.namespace).Create(t.Context(), &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Name: "web-theirs", Labels: map[string]string{
			discoveryv1.LabelServiceName: "web", discoveryv1.LabelManagedBy: "endpointslice-controller.k8s.io",
		}},
		AddressType: discoveryv1.AddressTypeIPv4,
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s.service("web")
	s.workload("a")
	s.waitFor("web", "IPv4", "IPv4 http:8080/TCP | a 192.0.2.1")
	s.remove("web")
	s.waitFor("web", "IPv4")
	got, err := s.core.DiscoveryV1().EndpointSlices(s.namespace).Get(t.Context(), theirs.Name, metav1.GetOptions{})
	if err != nil || got.ResourceVersion != theirs.ResourceVersion {
		t.Errorf("their slice was changed: %v, %v", got, err)
	}
}

// remove deletes a Service.
func (s *site) remove(service string) {
	s.t.Helper()
	if err := s.core.CoreV1().Services(s.namespace).Delete(s.t.Context(), service, metav1.DeleteOptions{}); err != nil {
		s.t.Fatal(err)
	}
}

func TestServiceThatIsRecreated(t *testing.T) {
	for name, during := range map[string]func(s *site, change func()){
		"while the controller watches": func(_ *site, change func()) { change() },
		"while the controller is down": func(s *site, change func()) {
			s.stop()
			change()
			s.start()
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newIdleSite(t, sharedPlane(t))
			s.start()
			t.Cleanup(func() { s.stop() })
			s.service("web")
			s.workload("a")
			s.waitFor("web", "IPv4 http:8080/TCP | a 192.0.2.1")
			during(s, func() {
				s.remove("web")
				s.service("web")
			})
			service, err := s.core.CoreV1().Services(s.namespace).Get(t.Context(), "web", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			s.eventually("the only slice belongs to the new Service", func() (bool, string) {
				slices := s.slicesOf("web")
				text := fmt.Sprint(len(slices), " slices")
				if len(slices) != 1 {
					return false, text
				}
				return metav1.IsControlledBy(&slices[0], service) && lineOf(&slices[0]) == "IPv4 http:8080/TCP | a 192.0.2.1", lineOf(&slices[0])
			})
		})
	}
}

// TestServiceThatIsBeingDeletedGetsNoNewSlices deletes a Service with a finalizer, and then
// its slices, like the garbage collector in a foreground deletion.
func TestServiceThatIsBeingDeletedGetsNoNewSlices(t *testing.T) {
	s := newSite(t, sharedPlane(t))
	s.service("web", build.ObjectOption(func(m *metav1.ObjectMeta) { m.Finalizers = []string{"example.org/hold"} }))
	s.workload("a")
	s.waitFor("web", "IPv4 http:8080/TCP | a 192.0.2.1")
	services := s.core.CoreV1().Services(s.namespace)
	s.remove("web")
	defer func() {
		release := []byte(`{"metadata":{"finalizers":null}}`)
		if _, err := services.Patch(context.WithoutCancel(t.Context()), "web", types.MergePatchType, release, metav1.PatchOptions{}); err != nil {
			t.Error(err)
		}
	}()
	before := s.requests()
	for _, slice := range s.slicesOf("web") {
		if err := s.core.DiscoveryV1().EndpointSlices(s.namespace).Delete(t.Context(), slice.Name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	// A published change of another Service shows that the controller has seen the deletion.
	s.service("api")
	s.workload("b", build.IPs("192.0.2.2"))
	s.waitFor("api", "IPv4 http:8080/TCP | a 192.0.2.1 | b 192.0.2.2")
	for request, count := range s.requests().Since(before) {
		if request.Resource == "endpointslices" && request.Verb == "POST" && count > 1 {
			t.Errorf("there were %d creations, want one, for the other Service", count)
		}
	}
	s.waitFor("web")
}

func TestServiceDeletedWhileTheControllerIsDown(t *testing.T) {
	s := newIdleSite(t, sharedPlane(t))
	s.start()
	t.Cleanup(func() { s.stop() })
	s.service("web")
	s.workload("a")
	s.waitFor("web", "IPv4 http:8080/TCP | a 192.0.2.1")
	s.stop()
	s.remove("web")
	s.start()
	s.waitFor("web")
}

// TestDeletionsByTheGarbageCollectorAreNotForeign repeatedly recreates a Service under its
// name. Another client deletes the slices of the old Service, like the garbage collector,
// and annotates those of the new one.
func TestDeletionsByTheGarbageCollectorAreNotForeign(t *testing.T) {
	s := newSite(t, sharedPlane(t))
	s.workload("a")
	slices := s.core.DiscoveryV1().EndpointSlices(s.namespace)
	for range 5 {
		s.service("web")
		s.waitFor("web", "IPv4 http:8080/TCP | a 192.0.2.1")
		old := s.slicesOf("web")[0]
		note := []byte(`{"metadata":{"annotations":{"note":"theirs"}}}`)
		if _, err := slices.Patch(t.Context(), old.Name, types.MergePatchType, note, metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
		s.remove("web")
		s.service("web")
		if err := slices.Delete(t.Context(), old.Name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			t.Fatal(err)
		}
		s.waitFor("web", "IPv4 http:8080/TCP | a 192.0.2.1")
		s.remove("web")
		s.waitFor("web")
	}
	s.do(func() {
		if s.foreign > 0 || len(s.events) > 0 {
			t.Errorf("%d foreign writes were counted, and Events are %v; want none", s.foreign, s.events)
		}
	})
}

// TestTerminatingNamespace has a namespace that accepts no new objects.
func TestTerminatingNamespace(t *testing.T) {
	s := newSite(t, sharedPlane(t))
	s.service("web")
	s.service("canary", build.Selector("app", "canary"))
	s.workload("a", build.Label("app", "other"))
	if err := s.core.CoreV1().Namespaces().Delete(context.WithoutCancel(t.Context()), s.namespace, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	workloads := s.workloads.WorkloadV1beta1().ExternalWorkloads(s.namespace)
	workload, err := workloads.Get(t.Context(), "a", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	before := s.requests()
	workload.Labels["app"] = "web"
	if _, err := workloads.Update(t.Context(), workload, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	s.eventually("the server has refused a create", func() (bool, string) {
		for request, count := range s.requests().Since(before) {
			if request.Resource == "endpointslices" && request.Verb == "POST" && request.Code == "403" {
				return count == 1, fmt.Sprint(count, " refused")
			}
		}
		return false, "no create"
	})
	s.do(func() {
		if len(s.events) > 0 {
			t.Errorf("reported: %v, want nothing", s.events)
		}
	})
}
