package faults_test

import (
	"testing"
	"time"

	"github.com/external-workload/controller/test/faults"
	"github.com/external-workload/controller/test/internal/controlplane"
)

// TestControlPlaneFaults kills components of its own control plane.
func TestControlPlaneFaults(t *testing.T) {
	w := newOwnWorld(t)
	w.seed(w.namespace, 10, 5)
	c := w.alone()
	w.converges(time.Minute)
	before, began, pid := w.level(c), w.history.Len(), c.Pid()

	// Fault: the API server is killed and restarted. Its watch cache then starts later than
	// the controller's watches: 410 Gone.
	// Promise: the controller catches up and writes only changes.
	t.Run("API server killed and restarted", func(t *testing.T) {
		w := w.within(t)
		for range 3 {
			w.restart(controlplane.APIServer)
			w.caughtUp(c)
		}
	})

	// Fault: etcd is killed and restarted with its data.
	// Promise: as above.
	t.Run("etcd killed and restarted", func(t *testing.T) {
		w := w.within(t)
		for range 2 {
			w.restart(controlplane.Etcd)
			w.caughtUp(c)
		}
	})

	w.backTo(c, before)
	w.nothingNeedless(began)
	if !c.Running() || c.Pid() != pid {
		t.Error("the controller has ended")
	}
}

// Fault: the API server is unavailable for so long that an informer would wait up to a
// minute before it retries.
// Promise: the controller lists again within seconds. The second step of a change that was
// made meanwhile follows when other programs have listed again too.
func TestAPIServerAwayForLong(t *testing.T) {
	if !*long {
		t.Skip("stops the API server for 40 s; run with -long")
	}
	w := newOwnWorld(t)
	w.seed(w.namespace, 3, 3)
	c := w.alone()
	w.converges(time.Minute)
	if err := w.plane.Kill(controlplane.APIServer); err != nil {
		t.Fatal(err)
	}
	time.Sleep(40 * time.Second) // the fault itself
	if err := w.plane.StartComponent(t.Context(), controlplane.APIServer); err != nil {
		t.Fatal(err)
	}
	ready := w.flip(w.namespace, workloadName(0, 0))
	took := w.eventually(30*time.Second, "the flip is published", func() bool {
		return w.published(w.namespace, workloadName(0, 0), ready)
	})
	t.Logf("caught up %s after the flip", took)
	w.converges(30 * time.Second)
	if !c.Running() {
		t.Error("the controller has ended")
	}
}

func (w *world) restart(component controlplane.Component) {
	w.Helper()
	if err := w.plane.Kill(component); err != nil {
		w.Fatal(err)
	}
	if err := w.plane.StartComponent(w.Context(), component); err != nil {
		w.Fatal(err)
	}
}

// caughtUp flips a workload in each of three Services. Each flip must be one write.
func (w *world) caughtUp(c *faults.Controller) {
	w.Helper()
	writes := len(sliceWrites(c))
	// The API server may refuse requests for a moment after it is ready.
	for s := range 3 {
		w.flip(w.namespace, workloadName(s, 0))
	}
	took := w.converges(time.Minute)
	w.Logf("caught up %s after the flips", took)
	if more := len(sliceWrites(c)) - writes; more != 3 {
		w.Errorf("three flips in three Services after a restart took %d writes, want 3", more)
	}
	if err := c.Health(w.Context(), "livez"); err != nil {
		w.Error(err)
	}
}

// sliceWrites returns the number of writes of slices that took effect.
func sliceWrites(c *faults.Controller) []faults.Write {
	var writes []faults.Write
	for _, write := range c.Proxy.Writes() {
		if write.Resource == "endpointslices" && write.Succeeded() {
			writes = append(writes, write)
		}
	}
	return writes
}
