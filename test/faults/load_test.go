package faults_test

import (
	"fmt"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/external-workload/controller/test/faults"
)

// Fault: a hostile tenant has many Services that select the same many workloads, with labels
// and annotations of the maximum size, and flips one workload ten times a second.
// Promise: the latency in other namespaces at most triples, and memory is bounded.
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
	// The tenant may start some thousands of syncs before it counts as busy.
	for began := time.Now(); time.Since(began) < 8*time.Second; {
		w.latency(5, 5)
	}
	since := time.Now()
	meanwhile := w.latency(40, 5)
	took := time.Since(since)
	stop()
	together := faults.BegunBesideOthers(c.Proxy.Writes(), func(write faults.Write) bool {
		return write.Namespace == hostile && write.Resource == "endpointslices" && write.Started.After(since)
	})
	t.Logf("median of a flip in another namespace: usual %s, beside the tenant %s, which began %d writes in %s while another of its own was under way; resident %d MiB",
		usual, meanwhile, together, took, w.usage(c).Resident>>20)
	// The time of a flip depends on the machine, which also runs the API server. So the test
	// checks the tenant's share of the API server: a busy namespace starts 100 syncs a second,
	// and as many as it can do one at a time.
	if most := int(took.Seconds()*100) + 50; together > most {
		t.Errorf("the tenant began %d writes while another of its own was under way, want at most %d", together, most)
	}
	w.converges(5*time.Minute, hostile, w.namespace)
}
