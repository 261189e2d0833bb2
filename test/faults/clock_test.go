package faults_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/external-workload/controller/test/faults"
)

// Fault: the clocks of the instances differ by an hour, in the times of the Lease.
// Promise: the leader stays, and when it is killed another takes over in time.
func TestClocksAnHourApart(t *testing.T) {
	e := newElection(newParallelWorld(t), quick...)
	e.seed(e.namespace, 1, 3)
	leader := e.waitForLeader(30 * time.Second)
	for _, apart := range []time.Duration{time.Hour, -time.Hour} {
		leader.Proxy.Set(faults.Rule{Name: "clock", Match: faults.Writes("leases"), Fault: faults.Fault{Rewrite: shiftLease(apart)}})
		e.always(5*time.Second, "the leader stays", func() error {
			if now := e.leader(); now != leader {
				return fmt.Errorf("with its clock %s off, the Lease is %v", apart, e.lease().Spec)
			}
			return nil
		})
		leader.Kill()
		killed := time.Now()
		e.eventually(30*time.Second, "another leads", func() bool { now := e.leader(); return now != nil && now != leader })
		took := time.Since(killed)
		t.Logf("with the leader's clock off by %s, another instance led %s after its end", apart, took)
		const most = 3*time.Second + 500*time.Millisecond + time.Second
		if took > most {
			t.Errorf("it took %s, want at most %s", took, most)
		}
		leader.Proxy.Clear()
		e.start(leader)
		leader = e.waitForLeader(30 * time.Second)
	}
	e.converges(30 * time.Second)
	e.wroteOnlyWithLease()
}

func shiftLease(by time.Duration) func(runtime.Object) {
	return func(object runtime.Object) {
		lease, ok := object.(*coordinationv1.Lease)
		if !ok {
			return
		}
		for _, at := range []*metav1.MicroTime{lease.Spec.AcquireTime, lease.Spec.RenewTime} {
			if at != nil {
				at.Time = at.Add(by)
			}
		}
	}
}

// Fault: the wall clock jumps by an hour while the controller runs, both ways.
// Promise: the leader stays, publishing is as fast as before, and the latency metrics are
// correct.
func TestClockJumpsByAnHour(t *testing.T) {
	if !*long {
		t.Skip("compiles the program and its dependencies again, with a clock that can be moved; run with -long")
	}
	w := newWorld(t)
	moved, err := faults.BuildWithClock(t.Context(), w.directory())
	if err != nil {
		t.Fatal(err)
	}
	w.program = moved
	e := newElection(w, quick...)
	e.seed(e.namespace, 3, 3)
	leader := e.waitForLeader(30 * time.Second)
	e.converges(30 * time.Second)
	for i, jump := range []syscall.Signal{faults.AnHourAhead, faults.AnHourBack, faults.AnHourBack, faults.AnHourAhead} {
		for _, c := range e.instances {
			if err := c.Signal(jump); err != nil {
				t.Fatal(err)
			}
		}
		e.always(5*time.Second, "the leader stays", func() error {
			if now := e.leader(); now != leader {
				return fmt.Errorf("the Lease is %v", e.lease().Spec)
			}
			return nil
		})
		name := fmt.Sprintf("new-%d", i)
		if err := e.createWorkload(e.namespace, name, serviceName(0), fmt.Sprintf("10.99.0.%d", i+1)); err != nil {
			t.Fatal(err)
		}
		took := e.eventually(10*time.Second, "a new workload is published", func() bool { return e.published(e.namespace, name, true) })
		t.Logf("a new workload was published after %s", took)
		if took > time.Second {
			t.Errorf("a new workload was published after %s, want at most 1 s", took)
		}
	}
	e.converges(10 * time.Second)
	e.wroteOnlyWithLease()
	for _, metric := range []string{"external_workload_publish_latency_seconds", "external_workload_reconcile_duration_seconds"} {
		sum, err := leader.Metric(t.Context(), metric)
		if err != nil {
			t.Fatal(err)
		}
		if sum < 0 || sum > 600 {
			t.Errorf("%s has a sum of %g", metric, sum)
		}
	}
}
