package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corefake "k8s.io/client-go/kubernetes/fake"
	corescheme "k8s.io/client-go/kubernetes/scheme"

	"github.com/external-workload/controller/controller/endpointslice"
	"github.com/external-workload/controller/internal/apifake"
	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/adopt"
	"github.com/external-workload/controller/pkg/events"
	"github.com/external-workload/controller/pkg/generated/clientset/versioned/fake"
	"github.com/external-workload/controller/pkg/generated/clientset/versioned/scheme"
	"github.com/external-workload/controller/pkg/metrics"
	"github.com/external-workload/controller/pkg/plan"
)

// refreshSite is a Service with two ready workloads and one that is not.
type refreshSite struct {
	t         *testing.T
	core      *corefake.Clientset
	workloads *fake.Clientset
	api       *apifake.API
	out       bytes.Buffer
}

func inRefreshSite(t *testing.T, test func(*refreshSite)) {
	synctest.Test(t, func(t *testing.T) {
		s := &refreshSite{t: t, core: corefake.NewClientset(), workloads: fake.NewClientset()}
		s.api = apifake.Install(s.core, corescheme.Scheme)
		apifake.Install(s.workloads, scheme.Scheme)
		time.Sleep(time.Until(build.Epoch.Add(time.Hour)))
		if _, err := s.core.CoreV1().Services("shop").Create(t.Context(), build.Service("shop/web"), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		for name, options := range map[string][]build.WorkloadOption{
			"a": {build.IPs("192.0.2.1")}, "b": {build.IPs("192.0.2.2")}, "c": {build.IPs("192.0.2.3"), build.NotReady()},
		} {
			if _, err := s.workloads.WorkloadV1beta1().ExternalWorkloads("shop").Create(t.Context(), build.Workload("shop/"+name, options...), metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		test(s)
	})
}

// run runs a controller until stop is called.
func (s *refreshSite) run() (stop func()) {
	informers, err := endpointslice.NewInformers(s.core, s.workloads, "", build.ManagedBy)
	if err != nil {
		s.t.Fatal(err)
	}
	controller, err := endpointslice.New(endpointslice.Config{
		Client: s.core.DiscoveryV1(), Informers: []*endpointslice.Informers{informers}, Events: events.Discard{},
		Observer: metrics.New(prometheus.NewRegistry()), ManagedBy: build.ManagedBy, FieldManager: "test", MaxEndpoints: 100,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.t.Context()))
	informers.Start(ctx)
	var running sync.WaitGroup
	running.Go(func() {
		if err := controller.Run(ctx, 2); err != nil {
			s.t.Error(err)
		}
	})
	time.Sleep(time.Second)
	return func() {
		cancel()
		running.Wait()
		informers.Wait()
	}
}

// slice returns the Service's slice.
func (s *refreshSite) slice() *discoveryv1.EndpointSlice {
	s.t.Helper()
	list, err := s.core.DiscoveryV1().EndpointSlices("shop").List(s.t.Context(), metav1.ListOptions{})
	if err != nil || len(list.Items) != 1 {
		s.t.Fatalf("%d slices, %v", len(list.Items), err)
	}
	return &list.Items[0]
}

// refresh announces all endpoints.
func (s *refreshSite) refresh(ctx context.Context) error {
	r := &refresh{client: s.core.DiscoveryV1(), fieldManager: "test", limiter: rate.NewLimiter(5, 1), out: &s.out, reported: time.Now()}
	return r.service(ctx, &adopt.Subject{Slices: []*discoveryv1.EndpointSlice{s.slice()}})
}

// mustBeReady compares which workloads are ready.
func (s *refreshSite) mustBeReady(want string) {
	s.t.Helper()
	if got := strings.Join(readyWorkloads(s.slice()), " "); got != want {
		s.t.Errorf("ready are %q, want %q", got, want)
	}
}

func TestRefreshAnnouncesEachReadyEndpointOnce(t *testing.T) {
	inRefreshSite(t, func(s *refreshSite) {
		defer s.run()()
		s.mustBeReady("a b")
		s.api.Writes()
		if err := s.refresh(s.t.Context()); err != nil {
			t.Fatal(err)
		}
		var ready []string
		for _, write := range s.api.Writes() {
			if slice, ok := write.Object.(*discoveryv1.EndpointSlice); ok && write.Verb == "update" {
				ready = append(ready, strings.Join(readyWorkloads(slice), " "))
			}
		}
		if got, want := strings.Join(ready, ", "), "b, a b, a, a b"; got != want {
			t.Errorf("the controller's writes leave ready: %s, want %s", got, want)
		}
		s.mustBeReady("a b")
	})
}

func TestInterruptedRefreshLeavesNothingWithdrawn(t *testing.T) {
	inRefreshSite(t, func(s *refreshSite) {
		s.run()()
		ctx, cancel := context.WithTimeout(s.t.Context(), time.Second)
		defer cancel()
		if err := s.refresh(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it ended with %v", err)
		}
		s.mustBeReady("a b")
		if !plan.RefreshRequested(s.slice()) {
			t.Error("no refresh was in progress")
		}
		defer s.run()()
		s.mustBeReady("a b")
		if plan.RefreshRequested(s.slice()) {
			t.Error("the controller did not announce the endpoint whose refresh was in progress")
		}
	})
}

func TestRefreshSaysThatNoControllerRuns(t *testing.T) {
	inRefreshSite(t, func(s *refreshSite) {
		s.run()()
		if err := s.refresh(s.t.Context()); err == nil || !strings.Contains(err.Error(), "check that the controller is running") {
			t.Errorf("it ended with %v", err)
		}
		s.mustBeReady("a b")
	})
}
