package integration

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/util/flowcontrol"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// The former controller's times are a tenth of those of Linkerd's controller. That one
// detects a lost Lease within 12 s. Its client is slower than its queue grows, so it wrote
// for up to 36 s afterwards.
const (
	// formerManager is the field manager.
	formerManager = "former"
	// formerDuration is the duration of the Lease.
	formerDuration = 3 * time.Second
	// formerDeadline is the maximum time until it detects that it lost the Lease.
	formerDeadline = time.Second
	// formerRate is the number of slices that it writes in a second.
	formerRate = 10
	// formerLook is the interval between its looks for changes.
	formerLook = 30 * time.Millisecond
)

// former simulates Linkerd's controller: an elector on a Lease and a writer with a queue. It
// queues changes only while it leads. It writes what is queued, with the content from that
// time, regardless of who leads.
type former struct {
	site    *site
	leading atomic.Bool
	// looks is the number of looks for changes.
	looks atomic.Int64
	// seen is the last queued slice of each Service.
	seen map[string][]discoveryv1.Endpoint
	// queue holds the slices to write, queued is the number of slices ever queued, and waiting
	// the number of those that are not yet written.
	queue           chan *discoveryv1.EndpointSlice
	queued, waiting atomic.Int64
}

// startFormer runs a former controller until the end of the test.
func startFormer(t *testing.T, s *site) *former {
	t.Helper()
	f := &former{site: s, queue: make(chan *discoveryv1.EndpointSlice, 1000)}
	lock, err := resourcelock.New(resourcelock.LeasesResourceLock, s.formerLease().Namespace, s.formerLease().Name,
		s.core.CoreV1(), s.core.CoordinationV1(), resourcelock.ResourceLockConfig{Identity: formerManager})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() { f.write(ctx) })
	running.Go(func() {
		for ctx.Err() == nil {
			leaderelection.RunOrDie(ctx, leaderelection.LeaderElectionConfig{
				Lock: lock, LeaseDuration: formerDuration, RenewDeadline: formerDeadline, RetryPeriod: 200 * time.Millisecond,
				Callbacks: leaderelection.LeaderCallbacks{OnStartedLeading: f.lead, OnStoppedLeading: func() { f.leading.Store(false) }},
			})
		}
	})
	t.Cleanup(func() { cancel(); running.Wait() })
	return f
}

// lead queues changes from the actual slices on.
func (f *former) lead(ctx context.Context) {
	f.seen = map[string][]discoveryv1.Endpoint{}
	for _, slice := range f.site.slices() {
		f.seen[slice.Labels[discoveryv1.LabelServiceName]] = slice.Endpoints
	}
	f.leading.Store(true)
	wait.UntilWithContext(ctx, func(ctx context.Context) {
		if err := f.look(ctx); err != nil && ctx.Err() == nil {
			f.site.t.Errorf("the former controller: %v", err)
		}
		f.looks.Add(1)
	}, formerLook)
}

// look queues the desired slice of every Service for which it has changed.
func (f *former) look(ctx context.Context) error {
	services, err := f.site.core.CoreV1().Services(f.site.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	workloads, err := f.site.workloads.WorkloadV1beta1().ExternalWorkloads(f.site.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for i := range services.Items {
		slice := f.sliceOf(&services.Items[i], workloads.Items)
		if equality.Semantic.DeepEqual(f.seen[services.Items[i].Name], slice.Endpoints) {
			continue
		}
		f.seen[services.Items[i].Name] = slice.Endpoints
		f.queued.Add(1)
		f.waiting.Add(1)
		f.queue <- slice
	}
	return nil
}

// sliceOf returns the desired slice of a Service.
func (f *former) sliceOf(service *corev1.Service, workloads []v1beta1.ExternalWorkload) *discoveryv1.EndpointSlice {
	parts := []build.SliceOption{build.Of(service)}
	for i := range workloads {
		w := &workloads[i]
		if !labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(w.Labels)) {
			continue
		}
		ready := len(w.Status.Conditions) > 0 && w.Status.Conditions[0].Status == v1beta1.ConditionTrue
		parts = append(parts, build.Endpoint(w.Name, w.Spec.WorkloadIPs[0].IP, func(e *discoveryv1.Endpoint) {
			e.TargetRef.UID = w.UID
			e.Conditions.Ready, e.Conditions.Serving = &ready, &ready
		}))
	}
	slice := build.Slice(f.site.key("linkerd-external-"+service.Name+"-former"), parts...)
	slice.UID, slice.ResourceVersion = "", ""
	return slice
}

// write processes the queue at its rate.
func (f *former) write(ctx context.Context) {
	limiter := flowcontrol.NewTokenBucketRateLimiter(formerRate, 1)
	defer limiter.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case next := <-f.queue:
			if limiter.Wait(ctx) != nil {
				return
			}
			f.await("a write", func() bool { return f.put(ctx, next) == nil || ctx.Err() != nil })
			f.waiting.Add(-1)
		}
	}
}

// put creates the slice, or updates the Service's first slice with its content.
func (f *former) put(ctx context.Context, want *discoveryv1.EndpointSlice) error {
	client := f.site.core.DiscoveryV1().EndpointSlices(f.site.namespace)
	have, err := client.List(ctx, metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + want.Labels[discoveryv1.LabelServiceName]})
	if err != nil {
		return err
	}
	if len(have.Items) == 0 {
		_, err := client.Create(ctx, want, metav1.CreateOptions{FieldManager: formerManager})
		return err
	}
	stored := &have.Items[0]
	stored.Endpoints = want.Endpoints
	_, err = client.Update(ctx, stored, metav1.UpdateOptions{FieldManager: formerManager})
	return err
}

// looked waits for two more looks.
func (f *former) looked() func() bool {
	after := f.looks.Load() + 2
	return func() bool { return f.looks.Load() >= after }
}

func (f *former) await(what string, is func() bool) {
	f.site.t.Helper()
	f.site.eventually("the former controller: "+what, func() (bool, string) { return is(), "" })
}

// passive checks that it does not lead during a time.
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
