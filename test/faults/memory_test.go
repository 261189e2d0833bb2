package faults_test

import (
	"net/http"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/external-workload/controller/test/faults"
)

// programText is what the program has in memory beside what Go's runtime limits.
const programText = 64 << 20

// Fault: everything is listed again at once while changes go on, in a container
// with the chart's memory limit.
// Promise: the peak of the memory is under twice the steady one, and the kernel
// kills nothing.
func TestEverythingListedAnewWhileChangesGoOn(t *testing.T) {
	services, each, rounds := 400, 5, 2
	if *long {
		services, rounds = 2000, 5
	} else {
		t.Logf("%d workloads and %d Services, listed %d times; 10000 and 2000, 5 times, with -long", services*each, services, rounds)
	}
	w := newWorld(t)
	group := w.container()
	c := w.controllerWith(faults.ControllerOptions{Name: "alone", Flags: []string{"--leader-elect=false"}, Prefix: group.Prefix()})
	w.seed(w.namespace, services, each)
	w.start(c)
	w.converges(5 * time.Minute)
	// Nobody but relist flips this one, so that its last flip is the one waited for.
	witness := workloadName(services-1, 0)
	// A first list when all is published is part of the steady state.
	w.relist(c, witness)
	steady := w.usage(c)
	for round := range rounds {
		var changes errgroup.Group
		for s := range 20 {
			changes.Go(func() error {
				_, err := w.turn(w.namespace, workloadName(s*7%(services-1), round%each))
				return err
			})
		}
		w.relist(c, witness)
		if err := changes.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	w.converges(time.Minute)
	peak := w.usage(c)
	t.Logf("resident: %d MiB steady, %d MiB at the peak", steady.Resident>>20, peak.Peak>>20)
	if peak.Peak > 2*steady.Resident {
		t.Errorf("the peak of %d bytes is more than twice the steady %d", peak.Peak, steady.Resident)
	}
	w.survived(c, group)
}

// Fault: garbage of several times the container's memory, and a garbage
// collector that runs only when the memory limit asks for it.
// Promise: the program finds the container's limit by itself, or takes the one
// of GOMEMLIMIT, and stays within it.
func TestMemoryLimitIsKept(t *testing.T) {
	for name, test := range map[string]struct {
		environment []string
		limit       func(container int64) int64
	}{
		"that of the container": {nil, func(container int64) int64 { return container * 9 / 10 }},
		"that of GOMEMLIMIT":    {[]string{"GOMEMLIMIT=100MiB"}, func(int64) int64 { return 100 << 20 }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newParallelWorld(t)
			group := w.container()
			c := w.controllerWith(faults.ControllerOptions{
				Name: "alone", Flags: []string{"--leader-elect=false"},
				Environment: append(test.environment, "GOGC=off"), Prefix: group.Prefix(),
			})
			w.start(c)
			container := w.chartLimit()
			for allocated := 0.0; allocated < 2*float64(container); {
				var err error
				if allocated, err = c.Metric(t.Context(), "go_memstats_alloc_bytes_total"); err != nil {
					w.survived(c, group)
					t.Fatalf("asking for metrics, which is what makes the garbage: %v", err)
				}
			}
			peak := w.usage(c).Peak
			t.Logf("resident: %d MiB at the peak, after %d MiB of garbage", peak>>20, 2*container>>20)
			if most := test.limit(container) + programText; peak > most {
				t.Errorf("the peak of %d bytes is over the limit and the program's text, %d", peak, most)
			}
			w.survived(c, group)
		})
	}
}

// container returns a cgroup as the chart's Pod gets it. Without one there is
// nothing to test.
func (w *world) container() *faults.MemoryGroup {
	w.Helper()
	group, err := faults.NewMemoryGroup(w.chartLimit())
	if err != nil {
		w.Skipf("a cgroup with a memory limit cannot be had here: %v", err)
	}
	w.Cleanup(func() {
		if err := group.Remove(); err != nil {
			w.Error(err)
		}
	})
	return group
}

// chartLimit returns the memory in bytes that the chart gives the container.
func (w *world) chartLimit() int64 {
	w.Helper()
	limit, err := faults.ChartMemoryLimit()
	if err != nil {
		w.Fatal(err)
	}
	return limit
}

// survived fails the test if the kernel killed the program for want of memory.
func (w *world) survived(c *faults.Controller, group *faults.MemoryGroup) {
	w.Helper()
	kills, err := group.Kills()
	if err != nil {
		w.Fatal(err)
	}
	if kills > 0 || !c.Running() {
		w.Errorf("the kernel killed %d processes for want of memory", kills)
	}
	peak, err := group.Peak()
	if err != nil {
		w.Logf("the container's peak is not known: %v", err)
		return
	}
	w.Logf("container: %d MiB at the peak, files among them, of %d MiB", peak>>20, w.chartLimit()>>20)
}

func (w *world) usage(c *faults.Controller) faults.Usage {
	w.Helper()
	usage, err := c.Usage()
	if err != nil {
		w.Fatal(err)
	}
	return usage
}

// relist makes all three watches expire and waits until a flip of the witness
// is published. No other goroutine may flip the witness meanwhile: the last flip
// wins, and relist would wait for the other one. The client waits longer before
// each list that follows soon on another, up to half a minute and its jitter.
func (w *world) relist(c *faults.Controller, witness string) {
	w.Helper()
	c.Proxy.Set(faults.Rule{Name: "gone", Match: faults.Watches(), Times: 3, Fault: faults.Fault{Status: http.StatusGone}})
	c.Proxy.Cut()
	ready := w.flip(w.namespace, witness)
	w.eventually(5*time.Minute, "a flip after the new list is published", func() bool { return w.published(w.namespace, witness, ready) })
}
