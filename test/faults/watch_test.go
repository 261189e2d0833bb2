package faults_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/external-workload/controller/test/faults"
)

// Fault: the connection with all watches is dead and looks open.
// Promise: the client detects it with the health check of HTTP/2, by default within 45 s.
// Here its settings make that shorter.
func TestWatchConnectionHalfOpen(t *testing.T) {
	w := newParallelWorld(t)
	w.seed(w.namespace, 3, 3)
	c := w.controllerWith(faults.ControllerOptions{
		Name: "alone", Flags: []string{"--leader-elect=false"},
		Environment: []string{"HTTP2_READ_IDLE_TIMEOUT_SECONDS=2", "HTTP2_PING_TIMEOUT_SECONDS=1"},
	})
	w.start(c)
	w.converges(30 * time.Second)
	c.Proxy.HalfOpen()
	ready := w.flip(w.namespace, workloadName(0, 0))
	took := w.eventually(30*time.Second, "the flip is published", func() bool {
		return w.published(w.namespace, workloadName(0, 0), ready)
	})
	t.Logf("detected and caught up after %s", took)
	w.converges(30 * time.Second)
}

// Fault: every watch stalls after it was opened, while its connection lives.
// Promise: the controller catches up when the API server ends the watches, after 5 to 10
// minutes. It stays live and does not list again.
func TestWatchesStalled(t *testing.T) {
	if !*long {
		t.Skip("waits until the API server ends silent watches, which takes 5 to 10 minutes; run with -long")
	}
	w := newParallelWorld(t)
	w.seed(w.namespace, 3, 3)
	c := w.alone()
	w.converges(30 * time.Second)
	listed := lists(c)
	w.settle()
	c.Proxy.Set(faults.Rule{Name: "stall", Match: faults.Watches(), Times: 3, Fault: faults.Fault{Stall: true}})
	c.Proxy.Cut()
	w.eventually(30*time.Second, "the watches are stalled", func() bool { return c.Proxy.Hits()["stall"] == 3 })
	ready := w.flip(w.namespace, workloadName(0, 0))
	const most = 10*time.Minute + 30*time.Second
	took := w.eventually(most, "the flip is published", func() bool {
		if err := c.Health(t.Context(), "livez"); err != nil {
			t.Fatalf("not live while watches are stalled: %v", err)
		}
		return w.published(w.namespace, workloadName(0, 0), ready)
	})
	t.Logf("caught up after %s", took)
	w.converges(most)
	if more := lists(c) - listed; more > 0 {
		t.Errorf("%d new lists, want none", more)
	}
}

// Fault: every event comes twice.
// Promise: nothing is written twice, and the result is exact.
func TestWatchEventsDuplicated(t *testing.T) {
	w := newParallelWorld(t)
	c := w.controller("alone", "--leader-elect=false")
	c.Proxy.Set(faults.Rule{Name: "twice", Match: faults.Watches(), Fault: faults.Fault{Duplicate: true}})
	w.start(c)
	began := w.history.Len()
	w.seed(w.namespace, 10, 5)
	w.converges(30 * time.Second)
	settled := w.history.Len()
	for s := range 10 {
		w.flip(w.namespace, workloadName(s, 0))
	}
	w.converges(30 * time.Second)
	if writes := w.history.Len() - settled; writes != 10 {
		t.Errorf("10 flips in 10 Services took %d writes, want 10", writes)
	}
	w.nothingNeedless(began)
}

// Fault: a watch receives only bookmarks for a while, and is then cut.
// Promise: the watch is resumed without a new list.
func TestWatchesWithBookmarksOnlyThenCut(t *testing.T) {
	w := newParallelWorld(t)
	w.seed(w.namespace, 10, 5)
	c := w.alone()
	w.converges(30 * time.Second)
	listed := lists(c)
	w.settle()
	c.Proxy.Set(faults.Rule{Name: "hold", Match: faults.Watches(), Fault: faults.Fault{Hold: true}})
	c.Proxy.Cut()
	w.eventually(30*time.Second, "the watches are held", func() bool { return c.Proxy.Hits()["hold"] >= 3 })
	w.settle()
	held := w.history.Len()
	for s := range 10 {
		w.flip(w.namespace, workloadName(s, 0))
	}
	if writes := w.history.Len() - held; writes != 0 {
		t.Fatalf("%d writes while no event arrived", writes)
	}
	c.Proxy.Cut()
	c.Proxy.Clear()
	w.converges(30 * time.Second)
	if more := lists(c) - listed; more > 0 {
		t.Errorf("%d new lists, want none", more)
	}
}

// Fault: the watches' resourceVersion is compacted: 410 Gone.
// Promise: the controller lists each resource once and continues.
func TestWatchesExpired(t *testing.T) {
	w := newParallelWorld(t)
	w.seed(w.namespace, 10, 5)
	c := w.alone()
	w.converges(30 * time.Second)
	settled := w.history.Len()
	requests := c.Proxy.Requests()
	c.Proxy.Set(faults.Rule{Name: "gone", Match: faults.Watches(), Times: 3, Fault: faults.Fault{Status: http.StatusGone}})
	c.Proxy.Cut()
	ready := w.flip(w.namespace, workloadName(0, 0))
	w.eventually(30*time.Second, "the flip is published", func() bool { return w.published(w.namespace, workloadName(0, 0), ready) })
	w.converges(30 * time.Second)
	if writes := w.history.Len() - settled; writes != 1 {
		t.Errorf("new lists and one flip took %d writes, want 1", writes)
	}
	now := c.Proxy.Requests()
	for _, resource := range []string{"services", "externalworkloads", "endpointslices"} {
		more := now["list "+resource] - requests["list "+resource] + now["watch "+resource] - requests["watch "+resource]
		const most = 6
		if more > most {
			t.Errorf("%d lists and watches of %s after one cut, want at most %d", more, resource, most)
		}
	}
}
