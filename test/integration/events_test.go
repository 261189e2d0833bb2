package integration

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"

	"github.com/external-workload/controller/controller/endpointslice"
	"github.com/external-workload/controller/controller/readiness"
	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/events"
)

// TestEveryKindOfEventIsStored causes each kind of Event that the controllers declare, and
// reads it from the API server. This detects a recorder that drops a kind and an API server
// that refuses it.
func TestEveryKindOfEventIsStored(t *testing.T) {
	e := newEventCluster(t)
	declared := slices.Concat(readiness.EventKinds(), endpointslice.EventKinds())
	var names []string
	for _, kind := range declared {
		names = append(names, nameOfKind(kind))
		t.Run(nameOfKind(kind), func(t *testing.T) {
			provoke, provided := provocations[nameOfKind(kind)]
			if !provided {
				t.Fatal("no case causes this kind of Event")
			}
			regarding := provoke(e, t)
			e.awaitEvent(t, kind, regarding)
		})
	}
	slices.Sort(names)
	if diff := cmp.Diff(slices.Compact(names), slices.Sorted(maps.Keys(provocations))); diff != "" {
		t.Errorf("the declared kinds and the cases differ (-declared +cases):\n%s", diff)
	}
}

// TestEventsOfServicesAndFamiliesAreStoredApart has a workload that two Services skip for
// the same reason, in two address families each.
func TestEventsOfServicesAndFamiliesAreStoredApart(t *testing.T) {
	e := newEventCluster(t)
	s := e.main.within(t)
	for _, name := range []string{"first", "second"} {
		s.service(name, build.Families(corev1.IPv4Protocol, corev1.IPv6Protocol))
	}
	s.createWorkload("unreachable", build.IPs("127.0.0.1", "::1"))
	want := []string{
		"InvalidAddress PublishIPv4 first", "InvalidAddress PublishIPv4 second",
		"InvalidAddress PublishIPv6 first", "InvalidAddress PublishIPv6 second",
	}
	s.eventually("each is stored", func() (bool, string) {
		var have []string
		for _, event := range s.eventsOn(t, "unreachable") {
			related := "nothing"
			if event.Related != nil {
				related = event.Related.Name
			}
			if event.Reason == "InvalidAddress" && strings.HasPrefix(event.Action, "Publish") {
				have = append(have, strings.Join([]string{event.Reason, event.Action, related}, " "))
			}
		}
		slices.Sort(have)
		return slices.Equal(have, want), fmt.Sprintf("%q", have)
	})
}

// nameOfKind identifies a kind of Event.
func nameOfKind(kind events.Kind) string {
	return strings.Join([]string{kind.Type(), kind.Reason(), kind.Action()}, " ")
}

// eventCluster is a control plane with the program's recorder, and namespaces in which both
// controllers use it.
type eventCluster struct {
	*readinessCluster
	recorder *events.Broadcaster
	// main permits everything that the cases need and never holds readiness; strict permits
	// no host in probes.
	main, strict *eventSite
	// hold causes one hold of readiness that expires, and returns its object.
	hold func(t *testing.T) *eventSite
}

// eventSite is a namespace in which both controllers run.
type eventSite struct{ *site }

// startWired starts a control plane and the program's recorder.
func startWired(t *testing.T, change func(*apiextensionsv1.CustomResourceDefinition)) *eventCluster {
	t.Helper()
	e := &eventCluster{readinessCluster: startCluster(t, change)}
	core, err := kubernetes.NewForConfig(e.AdminConfig())
	if err != nil {
		t.Fatal(err)
	}
	e.recorder = events.NewBroadcaster(core.EventsV1(), "external-workload-controller")
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	t.Cleanup(cancel)
	if err := e.recorder.Start(ctx); err != nil {
		t.Fatal(err)
	}
	return e
}

func newEventCluster(t *testing.T) *eventCluster {
	t.Helper()
	e := startWired(t, permitWhatProvokes)
	e.main = e.newSite(t)
	e.run(e.main, func(config *readiness.Config) { config.HoldMaximum = readiness.HoldNever })
	e.strict = e.newSite(t)
	e.run(e.strict, func(config *readiness.Config) { config.ProbeAllowHost = false })
	var held *eventSite
	var once sync.Once
	e.hold = func(t *testing.T) *eventSite {
		t.Helper()
		once.Do(func() { held = e.newSite(t); e.letHoldExpire(held) })
		if held == nil {
			t.Fatal("readiness was not held")
		}
		return held
	}
	return e
}

// permitWhatProvokes makes the CRD accept objects that ours refuses, also ports of any type,
// and refuse conditions with a # in their message.
func permitWhatProvokes(crd *apiextensionsv1.CustomResourceDefinition) {
	makeDefinitionLax(crd)
	for i := range crd.Spec.Versions {
		schema := crd.Spec.Versions[i].Schema.OpenAPIV3Schema.Properties
		schema["spec"].Properties["ports"] = apiextensionsv1.JSONSchemaProps{XPreserveUnknownFields: new(true)}
		condition := schema["status"].Properties["conditions"].Items.Schema
		message := condition.Properties["message"]
		message.Pattern = "^[^#]*$"
		condition.Properties["message"] = message
	}
}

func (e *eventCluster) newSite(t *testing.T) *eventSite {
	t.Helper()
	return &eventSite{newIdleSite(t, e.ControlPlane)}
}

// run runs both controllers in a namespace, with shared informers and a shared recorder like
// the program.
func (e *eventCluster) run(s *eventSite, changes ...func(*readiness.Config)) {
	s.t.Helper()
	informers, err := endpointslice.NewInformers(s.core, s.workloads, s.namespace, build.ManagedBy)
	if err != nil {
		s.t.Fatal(err)
	}
	publisher, err := endpointslice.New(endpointslice.Config{
		Client: s.core.DiscoveryV1(), Informers: []*endpointslice.Informers{informers},
		Events: e.recorder, Observer: &publications{observed: map[string]bool{}},
		ManagedBy: build.ManagedBy, FieldManager: "integration", MaxEndpoints: 100,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	config := readiness.Config{
		Client: s.workloads, Workloads: informers.Workloads, Events: e.recorder, Observer: unobservedReadiness{},
		ProbeLoopback: true, ProbeAllowHost: true,
	}
	for _, change := range changes {
		change(&config)
	}
	prober, err := readiness.New(config)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.t.Context()))
	informers.Start(ctx)
	var running sync.WaitGroup
	for _, run := range []func(context.Context, int) error{publisher.Run, prober.Run} {
		running.Go(func() {
			if err := run(ctx, 4); err != nil {
				s.t.Error(err)
			}
		})
	}
	s.t.Cleanup(func() {
		cancel()
		running.Wait()
		informers.Wait()
	})
	s.eventually("the caches are filled", func() (bool, string) {
		err := publisher.Synced()
		return err == nil, fmt.Sprint(err)
	})
}

func (s *eventSite) within(t *testing.T) *eventSite { return &eventSite{s.site.within(t)} }

// eventsOn returns the Events about objects with a name.
func (s *eventSite) eventsOn(t *testing.T, name string) []eventsv1.Event {
	t.Helper()
	list, err := s.core.EventsV1().Events(s.namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(list.Items, func(event eventsv1.Event) bool { return event.Regarding.Name != name })
}

// provoked is the object that an Event is expected on.
type provoked struct {
	in         *eventSite
	kind, name string
}

// awaitEvent waits for an Event of a kind about an existing object.
func (e *eventCluster) awaitEvent(t *testing.T, kind events.Kind, on provoked) {
	t.Helper()
	on.in.within(t).eventually("the Event is stored", func() (bool, string) {
		var seen []string
		for _, event := range on.in.eventsOn(t, on.name) {
			seen = append(seen, fmt.Sprintf("%s %s %s on a %s", event.Type, event.Reason, event.Action, event.Regarding.Kind))
			if event.Type != kind.Type() || event.Reason != kind.Reason() || !strings.HasPrefix(event.Action, kind.Action()) {
				continue
			}
			if event.Regarding.Kind != on.kind || event.Regarding.UID == "" || event.ReportingController != "external-workload-controller" {
				t.Fatalf("the Event is not about the object or not by the program: %+v", event)
			}
			if event.Note == "" || len(event.Note) > 1024 {
				t.Fatalf("the note has %d bytes: %q", len(event.Note), event.Note)
			}
			return true, ""
		}
		return false, fmt.Sprintf("%q", seen)
	})
}

// listener listens on a loopback address until it is closed.
func (s *eventSite) listener(address string) net.Listener {
	s.t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = listener.Close() })
	return listener
}

// serverThatRedirects sends every request to another host.
func (s *eventSite) serverThatRedirects() net.Addr {
	server := httptest.NewServer(http.RedirectHandler("http://other.example.org/", http.StatusFound))
	s.t.Cleanup(server.Close)
	return server.Listener.Addr()
}

// awaitCondition waits until a workload has a condition that begins with a text.
func (s *eventSite) awaitCondition(name, want string) {
	s.t.Helper()
	s.eventually(name+" has the condition "+want, func() (bool, string) {
		workload, err := s.workloads.WorkloadV1beta1().ExternalWorkloads(s.namespace).Get(s.t.Context(), name, metav1.GetOptions{})
		if err != nil {
			return false, err.Error()
		}
		var seen []string
		for _, condition := range workload.Status.Conditions {
			seen = append(seen, fmt.Sprintf("%s %s %s: %s", condition.Type, condition.Status, condition.Reason, condition.Message))
		}
		return slices.ContainsFunc(seen, func(text string) bool { return strings.HasPrefix(text, want) }), fmt.Sprintf("%q", seen)
	})
}

// regardLease creates the Lease that Events about a hold regard.
func (s *eventSite) regardLease() func(*readiness.Config) {
	s.t.Helper()
	lease, err := s.core.CoordinationV1().Leases(s.namespace).Create(s.t.Context(), newLease(), metav1.CreateOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	return func(config *readiness.Config) {
		config.HoldRegarding = func(context.Context) runtime.Object { return lease }
	}
}
