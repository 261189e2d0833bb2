package faults_test

import (
	"fmt"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/external-workload/controller/test/faults"
)

// Fault: a hostile tenant has many Services that all select the same many
// workloads, labels and annotations at their limits, and turns one workload
// round ten times a second.
// Promise: other namespaces' latency stays within three times, memory is bounded.
func TestHostileTenant(t *testing.T) {
	services, workloads := 200, 200
	if *long {
		services, workloads = 1000, 1000
	} else {
		t.Logf("%d Services that select %d workloads; 1000 each with -long", services, workloads)
	}
	w := newWorld(t)
	hostile := w.newNamespace()
	w.seed(w.namespace, 5, 3)
	c := w.alone()
	w.converges(30 * time.Second)
	usual := w.latency(40, 5)
	var group errgroup.Group
	group.SetLimit(16)
	for i := range workloads {
		group.Go(func() error {
			return w.createWorkload(hostile, fmt.Sprintf("hostile-%d", i), "hostile", fmt.Sprintf("10.200.%d.%d", i/250, i%250+1))
		})
	}
	for i := range services {
		group.Go(func() error { return w.createService(hostile, serviceName(i), "hostile") })
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	w.converges(5*time.Minute, hostile)
	stop := w.turning(hostile, "hostile-0", 100*time.Millisecond)
	// The namespace counts as busy only after five seconds.
	for began := time.Now(); time.Since(began) < 8*time.Second; {
		w.latency(5, 5)
	}
	since := time.Now()
	meanwhile := w.latency(40, 5)
	stop()
	most := faults.MostAtOnce(c.Proxy.Writes(), func(write faults.Write) bool {
		return write.Namespace == hostile && write.Resource == "endpointslices" && write.Started.After(since)
	})
	t.Logf("median of a flip in another namespace: usual %s, beside the tenant %s, with at most %d of its writes at once; resident %d MiB",
		usual, meanwhile, most, w.usage(c).Resident>>20)
	// How long a flip takes depends on the machine, which the API server shares:
	// what is judged is how much of the API server the tenant gets. The proxy may
	// see a write begin before it has seen the last one end.
	if most > 2 {
		t.Errorf("%d writes of the tenant were under way at once", most)
	}
	w.converges(5*time.Minute, hostile, w.namespace)
}
