package main

import (
	"testing"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/watch"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// published returns a slice of one endpoint for each workload.
func published(name string, ready bool, workloads ...string) *discoveryv1.EndpointSlice {
	slice := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Name: name}}
	for _, workload := range workloads {
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
			TargetRef: &corev1.ObjectReference{Name: workload}, Conditions: discoveryv1.EndpointConditions{Ready: &ready},
		})
	}
	return slice
}

func emptyWatcher() *watcher {
	return &watcher{ended: make(chan struct{}), ready: map[string]int{}, awaited: map[string]*flip{}, reached: make(chan time.Time, 1)}
}

func TestWatcherCountsReadyEndpoints(t *testing.T) {
	w := emptyWatcher()
	w.expect(3)
	w.take(watch.Added, published("one", true, "a", "b"))
	w.take(watch.Added, published("two", false, "c", "d"))
	w.take(watch.Modified, published("one", true, "a", "b"))
	w.take(watch.Modified, published("two", true, "c", "d"))
	if w.total != 4 || len(w.reached) != 0 {
		t.Errorf("%d endpoints are ready and 3 were reached %d times", w.total, len(w.reached))
	}
	w.take(watch.Deleted, published("one", true, "a", "b"))
	w.take(watch.Modified, published("two", true, "c", "d", "e"))
	if _, err := w.wait(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWatcherReportsWhenAFlipIsPublished(t *testing.T) {
	w := emptyWatcher()
	f := w.await("a", false)
	w.take(watch.Modified, published("one", true, "a", "b"))
	w.take(watch.Modified, published("one", false, "b"))
	select {
	case <-f.published:
		t.Fatal("published before its slice said so")
	default:
	}
	f.acknowledged = time.Now()
	w.take(watch.Modified, published("one", false, "a"))
	took, err := w.latencies(t.Context(), []*flip{f})
	if err != nil || len(took) != 1 || took[0] <= 0 {
		t.Errorf("latencies are %v, error is %v", took, err)
	}
}
