package integration

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/external-workload/controller/internal/build"
)

const (
	// formerManager is the field manager of the former controller.
	formerManager = "former"
	// formerDuration is the duration of its Lease: 30 seconds at Linkerd's.
	formerDuration = 3 * time.Second
	// strayWrites is how many keys it works off after it lost the Lease.
	strayWrites = 20
)

// former stands for Linkerd's controller: an elector on a Lease, and a writer
// that publishes the workloads of the Service web while it leads.
type former struct {
	site    *site
	leading atomic.Bool
	syncs   atomic.Int64
	// stale is the slice as the writer saw it last while it led.
	stale atomic.Pointer[discoveryv1.EndpointSlice]
}

// startFormer runs it until the end of the test.
func startFormer(t *testing.T, s *site) *former {
	t.Helper()
	f := &former{site: s}
	lock, err := resourcelock.New(resourcelock.LeasesResourceLock, s.formerLease().Namespace, s.formerLease().Name,
		s.core.CoreV1(), s.core.CoordinationV1(), resourcelock.ResourceLockConfig{Identity: formerManager})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() {
		for ctx.Err() == nil {
			leaderelection.RunOrDie(ctx, leaderelection.LeaderElectionConfig{
				Lock: lock, LeaseDuration: formerDuration, RenewDeadline: time.Second, RetryPeriod: 200 * time.Millisecond,
				Callbacks: leaderelection.LeaderCallbacks{OnStartedLeading: f.lead, OnStoppedLeading: func() { f.leading.Store(false) }},
			})
		}
	})
	t.Cleanup(func() { cancel(); running.Wait() })
	return f
}

// lead publishes ten times a second.
func (f *former) lead(ctx context.Context) {
	f.leading.Store(true)
	wait.UntilWithContext(ctx, func(ctx context.Context) {
		if err := f.sync(ctx); err != nil && ctx.Err() == nil {
			f.site.t.Errorf("the former controller: %v", err)
		}
		f.syncs.Add(1)
	}, 100*time.Millisecond)
}

// sync writes the one slice where it differs.
func (f *former) sync(ctx context.Context) error {
	service, err := f.site.core.CoreV1().Services(f.site.namespace).Get(ctx, "web", metav1.GetOptions{})
	if err != nil {
		return err
	}
	workloads, err := f.site.workloads.WorkloadV1beta1().ExternalWorkloads(f.site.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	parts := []build.SliceOption{build.Of(service)}
	for i := range workloads.Items {
		w := &workloads.Items[i]
		ready := len(w.Status.Conditions) > 0 && w.Status.Conditions[0].Status == "True"
		parts = append(parts, build.Endpoint(w.Name, w.Spec.WorkloadIPs[0].IP, func(e *discoveryv1.Endpoint) {
			e.TargetRef.UID = w.UID
			e.Conditions.Ready, e.Conditions.Serving = &ready, &ready
		}))
	}
	want := build.Slice(f.site.key("linkerd-external-web-former"), parts...)
	want.UID, want.ResourceVersion = "", ""
	return f.write(ctx, want)
}

// write creates the slice, or gives it this content.
func (f *former) write(ctx context.Context, want *discoveryv1.EndpointSlice) error {
	client := f.site.core.DiscoveryV1().EndpointSlices(f.site.namespace)
	have := f.site.slicesOf("web")
	if len(have) == 0 {
		created, err := client.Create(ctx, want, metav1.CreateOptions{FieldManager: formerManager})
		f.stale.Store(created)
		return err
	}
	next := have[0].DeepCopy()
	next.Endpoints, next.Ports = want.Endpoints, want.Ports
	updated, err := client.Update(ctx, next, metav1.UpdateOptions{FieldManager: formerManager})
	if err == nil {
		f.stale.Store(updated)
	}
	return err
}

// writeStray works off a queue of keys with the content of the time when it led.
func (f *former) writeStray() {
	f.site.t.Helper()
	stale := f.stale.Load().DeepCopy()
	client := f.site.core.DiscoveryV1().EndpointSlices(f.site.namespace)
	for range strayWrites {
		f.await("a stray write", func() bool {
			have := f.site.slicesOf("web")[0]
			have.Endpoints = stale.Endpoints
			_, err := client.Update(f.site.t.Context(), &have, metav1.UpdateOptions{FieldManager: formerManager})
			return err == nil
		})
	}
}

// synced tells when another two syncs are done.
func (f *former) synced() func() bool {
	after := f.syncs.Load() + 2
	return func() bool { return f.syncs.Load() >= after }
}

func (f *former) await(what string, is func() bool) {
	f.site.t.Helper()
	f.site.eventually("the former controller: "+what, func() (bool, string) { return is(), "" })
}

// passive checks that it does not lead for so long.
func (f *former) passive(d time.Duration) {
	f.site.t.Helper()
	begin := time.Now()
	f.await("stays passive", func() bool {
		if f.leading.Load() {
			f.site.t.Fatal("the former controller leads")
		}
		return time.Since(begin) > d
	})
}
