package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	discoveryclient "k8s.io/client-go/kubernetes/typed/discovery/v1"
)

const (
	// waitTimeout is the maximum wait for a result before the run fails.
	waitTimeout = 2 * time.Minute
	// startTimeout is the maximum wait for the caches of a start, and then for its slices.
	startTimeout = 15 * time.Minute
)

// A watcher sees the EndpointSlices as clients do. Its methods are safe for
// concurrent use.
type watcher struct {
	client  discoveryclient.EndpointSliceInterface
	console *console
	cancel  context.CancelFunc
	// version is the resourceVersion of the last event.
	version string
	// ended is closed when the watch has ended; cause is then the reason, if known.
	ended chan struct{}
	cause error

	mu     sync.Mutex
	ready  map[string]int // number of ready endpoints by slice name
	total  int
	target int
	// reached receives the time at which the target was reached.
	reached chan time.Time
	// awaited are changes of readiness by workload name.
	awaited map[string]*flip
}

// A flip is one change of a workload's readiness.
type flip struct {
	ready bool
	// acknowledged is the time of the answer to the status write, seen the time at which a
	// slice showed the change.
	acknowledged, seen time.Time
	published          chan struct{} // closed when seen is set
}

// newWatcher watches from now on and counts existing slices.
func (s *stage) newWatcher(ctx context.Context) (*watcher, error) {
	client := s.watching.DiscoveryV1().EndpointSlices(benchNamespace)
	list, err := client.List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing the EndpointSlices: %w", err)
	}
	w := &watcher{
		client: client, version: list.ResourceVersion, console: s.bench.console, ended: make(chan struct{}),
		ready: map[string]int{}, awaited: map[string]*flip{}, reached: make(chan time.Time, 1),
	}
	for i := range list.Items {
		w.take(watch.Added, &list.Items[i])
	}
	ctx, w.cancel = context.WithCancel(ctx)
	source, err := w.open(ctx)
	if err != nil {
		w.cancel()
		return nil, err
	}
	go w.follow(ctx, source)
	return w, nil
}

func (w *watcher) open(ctx context.Context) (watch.Interface, error) {
	source, err := w.client.Watch(ctx, metav1.ListOptions{ResourceVersion: w.version})
	if err != nil {
		return nil, fmt.Errorf("watching the EndpointSlices: %w", err)
	}
	return source, nil
}

// follow handles events until ctx ends. A busy API server closes watches: the next one
// continues from the last event.
func (w *watcher) follow(ctx context.Context, source watch.Interface) {
	defer close(w.ended)
	for {
		for event := range source.ResultChan() {
			slice, ok := event.Object.(*discoveryv1.EndpointSlice)
			if !ok {
				w.cause = apierrors.FromObject(event.Object)
				return
			}
			w.version = slice.ResourceVersion
			w.take(event.Type, slice)
		}
		if ctx.Err() != nil {
			return
		}
		w.console.say("the API server closed the watch of the EndpointSlices; opening it again")
		if source, w.cause = w.open(ctx); w.cause != nil {
			return
		}
	}
}

// stop ends the watch.
func (w *watcher) stop() {
	w.cancel()
	<-w.ended
}

// take handles the new state of a slice.
func (w *watcher) take(kind watch.EventType, slice *discoveryv1.EndpointSlice) {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	ready := 0
	for i := range slice.Endpoints {
		endpoint := &slice.Endpoints[i]
		if kind == watch.Deleted || endpoint.TargetRef == nil {
			continue
		}
		isReady := endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready
		if isReady {
			ready++
		}
		if f := w.awaited[endpoint.TargetRef.Name]; f != nil && f.ready == isReady {
			f.seen = now
			delete(w.awaited, endpoint.TargetRef.Name)
			close(f.published)
		}
	}
	w.total += ready - w.ready[slice.Name]
	w.ready[slice.Name] = ready
	if w.total == w.target && w.target > 0 {
		w.target = 0
		w.reached <- now
	}
}

// expect sets the target number of ready endpoints. It must not be called concurrently.
func (w *watcher) expect(endpoints int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.target = endpoints
}

// wait returns when the target number of ready endpoints is reached.
func (w *watcher) wait(ctx context.Context) (time.Time, error) {
	timeout := time.NewTimer(startTimeout)
	defer timeout.Stop()
	select {
	case at := <-w.reached:
		return at, nil
	case <-w.ended:
		return time.Time{}, fmt.Errorf("the watch of the EndpointSlices ended: %w", w.cause)
	case <-timeout.C:
		w.mu.Lock()
		defer w.mu.Unlock()
		return time.Time{}, fmt.Errorf("%d endpoints are ready after %s, want %d", w.total, startTimeout, w.target)
	case <-ctx.Done():
		return time.Time{}, context.Cause(ctx)
	}
}

// await starts waiting until a workload is published as ready or as not ready.
func (w *watcher) await(workload string, ready bool) *flip {
	f := &flip{ready: ready, published: make(chan struct{})}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.awaited[workload] = f
	return f
}

// latencies waits until all flips are published, and returns the time of each from the
// acknowledgement of its status write. An event before the acknowledgement counts as 0.
func (w *watcher) latencies(ctx context.Context, flips []*flip) ([]time.Duration, error) {
	timeout := time.NewTimer(waitTimeout)
	defer timeout.Stop()
	took := make([]time.Duration, 0, len(flips))
	for _, f := range flips {
		select {
		case <-f.published:
			took = append(took, max(f.seen.Sub(f.acknowledged), 0))
		case <-w.ended:
			return nil, fmt.Errorf("the watch of the EndpointSlices ended: %w", w.cause)
		case <-timeout.C:
			return nil, fmt.Errorf("%d of %d changes are published after %s", len(took), len(flips), waitTimeout)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return took, nil
}
