package faults_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/external-workload/controller/test/faults"
)

// Fault: the API server answers wrongly, late or never, before or after a write took effect.
// Promise: the slices are correct in the end, and no write that took effect is repeated.
func TestWritesAnsweredWithFaults(t *testing.T) {
	w := newParallelWorld(t)
	c := w.alone()
	for i, test := range []struct {
		name  string
		fault faults.Fault
	}{
		{"429 with Retry-After", faults.Fault{Status: http.StatusTooManyRequests, RetryAfter: 2 * time.Second}},
		{"500", faults.Fault{Status: http.StatusInternalServerError}},
		{"503", faults.Fault{Status: http.StatusServiceUnavailable}},
		{"504 before the write took effect", faults.Fault{Status: http.StatusGatewayTimeout}},
		{"504 after the write took effect", faults.Fault{LostReply: faults.ReplyTimeout}},
		{"no answer after the write took effect", faults.Fault{LostReply: faults.ReplyNever}},
		{"connection reset before the write took effect", faults.Fault{Reset: true}},
		{"connection reset after the write took effect", faults.Fault{LostReply: faults.ReplyReset}},
		{"slow answer", faults.Fault{SlowReply: time.Second}},
		{"409", faults.Fault{Status: http.StatusConflict}},
		{"404", faults.Fault{Status: http.StatusNotFound}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := w.within(t)
			began, app := w.history.Len(), fmt.Sprintf("faulty-%d", i)
			// The creation and then the update get the fault, twice each.
			meet := func() {
				c.Proxy.Set(faults.Rule{Name: test.name, Match: faults.Writes("endpointslices"), Times: 2, Fault: test.fault})
			}
			meet()
			ip := fmt.Sprintf("10.9.%d.1", i)
			if err := w.createService(w.namespace, app, app); err != nil {
				t.Fatal(err)
			}
			if err := w.createWorkload(w.namespace, app, app, ip); err != nil {
				t.Fatal(err)
			}
			created := w.converges(time.Minute)
			meet()
			w.flip(w.namespace, app)
			updated := w.converges(time.Minute)
			c.Proxy.Clear()
			t.Logf("correct %s after the creation, %s after the update; %d writes got the fault", created, updated, c.Proxy.Hits()[test.name])
			w.nothingNeedless(began)
			if creations := creations(w.history.Since(began)); creations != 1 {
				t.Errorf("%d slices were created, want 1", creations)
			}
		})
	}
}

// Fault: 429 with Retry-After.
// Promise: the controller waits as long as requested.
func TestRetryAfterIsObeyed(t *testing.T) {
	w := newParallelWorld(t)
	w.seed(w.namespace, 1, 1)
	c := w.alone()
	w.converges(30 * time.Second)
	const retryAfter = 3 * time.Second
	before := len(c.Proxy.Writes())
	c.Proxy.Set(faults.Rule{Name: "busy", Match: faults.Writes("endpointslices"), Times: 3,
		Fault: faults.Fault{Status: http.StatusTooManyRequests, RetryAfter: retryAfter}})
	w.flip(w.namespace, workloadName(0, 0))
	w.converges(time.Minute)
	writes := slices.DeleteFunc(c.Proxy.Writes()[before:], func(write faults.Write) bool { return write.Resource != "endpointslices" })
	if len(writes) != 4 {
		t.Fatalf("%d tries, want 3 that are refused and one that succeeds", len(writes))
	}
	for i := 1; i < len(writes); i++ {
		if pause := writes[i].Started.Sub(writes[i-1].Ended); pause < retryAfter {
			t.Errorf("try %d came after %s, retryAfter was %s", i, pause, retryAfter)
		}
	}
}

// Fault: 403 for every write in one namespace.
// Promise: other namespaces are as fast as before, and this one recovers when the fault
// ends.
func TestForbiddenInOneNamespace(t *testing.T) {
	w := newWorld(t)
	const services = 50
	forbidden := w.newNamespace()
	w.seed(w.namespace, 5, 3)
	w.seed(forbidden, services, 1)
	c := w.alone()
	w.converges(30*time.Second, w.namespace, forbidden)
	usual := w.latency(20, 5)
	c.Proxy.Set(faults.Rule{Name: "forbidden", Match: faults.Match{Namespace: forbidden, Verbs: faults.Writes().Verbs},
		Fault: faults.Fault{Status: http.StatusForbidden}})
	for s := range services {
		w.flip(forbidden, workloadName(s, 0))
	}
	w.eventually(30*time.Second, "writes are refused", func() bool { return c.Proxy.Hits()["forbidden"] >= services })
	meanwhile := w.latency(20, 5)
	t.Logf("median of a flip in another namespace: %s, usual %s", meanwhile, usual)
	if limit := 3*usual + 20*time.Millisecond; meanwhile > limit {
		t.Errorf("a flip in another namespace takes %s, want at most %s", meanwhile, limit)
	}
	c.Proxy.Clear()
	took := w.converges(2*time.Minute, forbidden)
	t.Logf("correct %s after the fault's end", took)
}

// latency returns the median time from a flip to its slice, over a number of flips.
func (w *world) latency(flips, services int) time.Duration {
	w.Helper()
	var times []time.Duration
	for i := range flips {
		name := workloadName(i%services, 0)
		ready := w.flip(w.namespace, name)
		times = append(times, w.eventually(time.Minute, "a flip is published", func() bool {
			return w.published(w.namespace, name, ready)
		}))
	}
	slices.Sort(times)
	return times[len(times)/2]
}

// Fault: every call takes 2 s longer.
// Promise: the controller converges, stays ready, and has a bounded number of writes in
// flight.
func TestLatencyOfTwoSecondsOnEveryCall(t *testing.T) {
	w := newParallelWorld(t)
	const workers = 4
	w.seed(w.namespace, 2*workers, 3)
	c := w.alone(fmt.Sprintf("--workers=%d", workers))
	w.converges(30 * time.Second)
	c.Proxy.Set(faults.Rule{Name: "slow", Fault: faults.Fault{Delay: 2 * time.Second}})
	for s := range 2 * workers {
		w.flip(w.namespace, workloadName(s, 0))
	}
	w.always(15*time.Second, "readiness and liveness", func() error {
		if err := c.Health(t.Context(), "readyz"); err != nil {
			return err
		}
		return c.Health(t.Context(), "livez")
	})
	w.converges(time.Minute)
	if most := c.Proxy.MostWritesInFlight(); most > workers+1 {
		t.Errorf("%d writes were in flight at once with %d workers", most, workers)
	}
}

// Fault: no byte passes between the controller and the API server.
// Promise: the controller stays live, since a restart would not help, and the slices are
// correct within seconds after the end.
func TestPartitioned(t *testing.T) {
	duration := 25 * time.Second
	if *long {
		duration = 10 * time.Minute
	} else {
		t.Logf("the partition lasts %s; 10 minutes with -long", duration)
	}
	w := newParallelWorld(t)
	w.seed(w.namespace, 10, 3)
	c := w.alone()
	w.converges(30 * time.Second)
	pid := c.Pid()
	c.Proxy.Freeze()
	for s := range 10 {
		w.flip(w.namespace, workloadName(s, 0))
	}
	w.always(duration, "liveness", func() error { return c.Health(t.Context(), "livez") })
	c.Proxy.Thaw()
	took := w.converges(time.Minute)
	t.Logf("correct %s after the end of a partition of %s", took, duration)
	if took > 10*time.Second {
		t.Errorf("correct after %s, want at most 10 s", took)
	}
	if err := c.Health(t.Context(), "readyz"); err != nil || c.Pid() != pid {
		t.Errorf("not ready afterwards, or restarted: %v", err)
	}
}

// Fault: a deletion is answered with 404 though the slice exists, as by an API server that
// does not serve the resource yet.
// Promise: the slice is deleted in the end, and its Service is still published.
func TestDeletionAnsweredNotFoundThoughTheSliceExists(t *testing.T) {
	w := newParallelWorld(t)
	w.seed(w.namespace, 1, 2)
	c := w.alone()
	w.converges(30 * time.Second)
	c.Proxy.Set(faults.Rule{Name: "404", Match: faults.Match{Verbs: []string{"delete"}, Resources: []string{"endpointslices"}},
		Times: 1, Fault: faults.Fault{Status: http.StatusNotFound}})
	client := w.workloads.WorkloadV1beta1().ExternalWorkloads(w.namespace)
	for i := range 2 {
		if err := client.Delete(t.Context(), workloadName(0, i), metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	w.converges(30 * time.Second)
	if c.Proxy.Hits()["404"] != 1 {
		t.Error("no deletion got the fault")
	}
	if err := w.createWorkload(w.namespace, workloadName(0, 2), serviceName(0), "10.0.1.1"); err != nil {
		t.Fatal(err)
	}
	w.converges(30 * time.Second)
}

// Fault: the answers to a creation are lost, and no watch shows the slice.
// Promise: it is not created again under another name.
func TestCreationNeitherAnsweredNorSeen(t *testing.T) {
	w := newParallelWorld(t)
	c := w.alone()
	creation := faults.Match{Verbs: []string{"create"}, Resources: []string{"endpointslices"}}
	c.Proxy.Set(
		faults.Rule{Name: "hold", Match: faults.Watches("endpointslices"), Fault: faults.Fault{Hold: true}},
		faults.Rule{Name: "lost", Match: creation, Times: 2, Fault: faults.Fault{LostReply: faults.ReplyTimeout}},
		faults.Rule{Name: "answered", Match: creation},
	)
	c.Proxy.Cut()
	w.eventually(30*time.Second, "the watches are held", func() bool { return c.Proxy.Hits()["hold"] >= 2 })
	began := w.history.Len()
	w.seed(w.namespace, 1, 1)
	w.eventually(time.Minute, "a third try", func() bool { return c.Proxy.Hits()["answered"] > 0 })
	c.Proxy.Clear()
	w.converges(time.Minute)
	if creations := creations(w.history.Since(began)); creations != 1 {
		t.Errorf("%d slices were created, want 1", creations)
	}
}

// creations returns the number of created slices.
func creations(changes []faults.SliceChange) (count int) {
	for _, change := range changes {
		if change.Before == nil {
			count++
		}
	}
	return count
}
