package faults_test

import (
	"strings"
	"testing"
	"time"

	"github.com/external-workload/controller/test/faults"
)

// level is the resource usage of an instance at a quiet moment.
type level struct {
	goroutines  float64
	descriptors int
	resident    int64
}

func (w *world) level(c *faults.Controller) level {
	w.Helper()
	goroutines, err := c.Metric(w.Context(), "go_goroutines")
	if err != nil {
		w.Fatal(err)
	}
	usage, err := c.Usage()
	if err != nil {
		w.Fatal(err)
	}
	return level{goroutines: goroutines, descriptors: usage.Descriptors, resident: usage.Resident}
}

// backTo fails the test if the instance holds more resources than before, apart from a
// tolerance for one connection and one garbage collection.
func (w *world) backTo(c *faults.Controller, before level) {
	w.Helper()
	const (
		spareGoroutines  = 10
		spareDescriptors = 5
		spareResident    = 20 << 20
	)
	var now level
	defer func() { w.Logf("goroutines, descriptors, resident bytes: before %v, after %v", before, now) }()
	w.eventually(30*time.Second, "goroutines and descriptors are at their former level", func() bool {
		now = w.level(c)
		return now.goroutines <= before.goroutines+spareGoroutines && now.descriptors <= before.descriptors+spareDescriptors
	})
	if now.resident > before.resident+spareResident {
		w.Errorf("resident memory grew from %d to %d bytes", before.resident, now.resident)
	}
}

// lists is the number of complete lists of a resource.
func lists(c *faults.Controller) int {
	sum := 0
	for request, count := range c.Proxy.Requests() {
		if strings.HasPrefix(request, "list ") {
			sum += count
		}
	}
	return sum
}

// Fault: all connections are cut, a hundred times.
// Promise: the controller catches up, nothing leaks, and no cut causes a new list.
func TestConnectionsCutAHundredTimes(t *testing.T) {
	rounds := 100
	if !*long {
		rounds = 40
		t.Logf("%d rounds; 100 with -long", rounds)
	}
	w := newParallelWorld(t)
	w.seed(w.namespace, 10, 5)
	c := w.alone()
	w.converges(30 * time.Second)
	// The first cut is not measured: it allocates things that stay.
	w.cutAndFlip(c, 0)
	before, listed, restarts, began := w.level(c), lists(c), c.Pid(), w.history.Len()
	for round := range rounds {
		w.cutAndFlip(c, round%10)
	}
	w.converges(30 * time.Second)
	w.backTo(c, before)
	if more := lists(c) - listed; more > 0 {
		t.Errorf("%d lists after %d cuts, want none", more, rounds)
	}
	if c.Pid() != restarts || !c.Running() {
		t.Error("the controller has ended")
	}
	w.nothingNeedless(began)
}

func (w *world) cutAndFlip(c *faults.Controller, service int) {
	w.Helper()
	w.settle()
	c.Proxy.Cut()
	name := workloadName(service, 0)
	ready := w.flip(w.namespace, name)
	w.eventually(30*time.Second, "a flip after a cut is published", func() bool { return w.published(w.namespace, name, ready) })
}

// Fault: all workers write at once, and there is no connection yet.
// Promise: they share a connection instead of opening one each.
func TestTheFirstWritesShareAConnection(t *testing.T) {
	w := newParallelWorld(t)
	w.seed(w.namespace, 50, 1)
	c := w.alone()
	w.converges(30 * time.Second)
	// One for reads and one for writes.
	const most = 2
	if opened := c.Proxy.Accepted(); opened > most {
		t.Errorf("%d connections were opened, want at most %d", opened, most)
	}
}
