package faults_test

import (
	"net/http"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/external-workload/controller/test/faults"
)

// programText is the program's memory that Go's memory limit does not cover.
const programText = 64 << 20

// Fault: everything is listed again at once while objects change, in a container with the
// chart's memory limit.
// Promise: the peak memory is less than twice the steady memory, and there is no OOM kill.
func TestRelistingWhileObjectsChange(t *testing.T) {
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
	// Only relist flips this workload, so that it waits for the last flip.
	witness := workloadName(services-1, 0)
	// The steady state includes one list after everything is published.
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

// Fault: garbage of several times the container's memory, and a garbage collector that runs
// only because of the memory limit.
// Promise: the program detects the container's limit, or uses GOMEMLIMIT, and stays within
// it.
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
					t.Fatalf("reading the metrics, which makes the garbage: %v", err)
				}
			}
			peak := w.usage(c).Peak
			t.Logf("resident: %d MiB at the peak, after %d MiB of garbage", peak>>20, 2*container>>20)
			if most := test.limit(container) + programText; peak > most {
				t.Errorf("the peak of %d bytes exceeds the limit plus the program's text, %d", peak, most)
			}
			w.survived(c, group)
		})
	}
}

// container returns a cgroup like that of the chart's Pod. It skips the test if it cannot
// make one.
func (w *world) container() *faults.MemoryGroup {
	w.Helper()
	group, err := faults.NewMemoryGroup(w.chartLimit())
	if err != nil {
		w.Skipf("left out: no cgroup with a memory limit: %v", err)
	}
	w.Cleanup(func() {
		if err := group.Remove(); err != nil {
			w.Error(err)
		}
	})
	return group
}

// chartLimit returns the chart's memory limit of the container in bytes.
func (w *world) chartLimit() int64 {
	w.Helper()
	limit, err := faults.ChartMemoryLimit()
	if err != nil {
		w.Fatal(err)
	}
	return limit
}

// survived fails the test if the program was OOM-killed.
func (w *world) survived(c *faults.Controller, group *faults.MemoryGroup) {
	w.Helper()
	kills, err := group.Kills()
	if err != nil {
		w.Fatal(err)
	}
	if kills > 0 || !c.Running() {
		w.Errorf("the kernel OOM-killed %d processes", kills)
	}
	peak, err := group.Peak()
	if err != nil {
		w.Logf("the container's peak memory is unknown: %v", err)
		return
	}
	w.Logf("container: peak %d MiB including page cache, limit %d MiB", peak>>20, w.chartLimit()>>20)
}

func (w *world) usage(c *faults.Controller) faults.Usage {
	w.Helper()
	usage, err := c.Usage()
	if err != nil {
		w.Fatal(err)
	}
	return usage
}

// relist makes all three watches expire and waits until a flip of the witness is published.
// No other goroutine may flip the witness meanwhile: the last flip wins, and relist would
// wait for the other one. The client waits longer before each list that soon follows
// another, up to half a minute plus jitter.
func (w *world) relist(c *faults.Controller, witness string) {
	w.Helper()
	c.Proxy.Set(faults.Rule{Name: "gone", Match: faults.Watches(), Times: 3, Fault: faults.Fault{Status: http.StatusGone}})
	c.Proxy.Cut()
	ready := w.flip(w.namespace, witness)
	w.eventually(5*time.Minute, "a flip after the new list is published", func() bool { return w.published(w.namespace, witness, ready) })
}
