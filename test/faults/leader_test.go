package faults_test

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/external-workload/controller/test/faults"
)

// quick are flags for short elections, for tests that do not depend on their duration.
var quick = []string{
	"--leader-elect-lease-duration=" + quickLease.String(), "--leader-elect-renew-deadline=2s", "--leader-elect-retry-period=500ms",
}

const quickLease = 3 * time.Second

// election is three instances of which one leads.
type election struct {
	*world
	instances []*faults.Controller
}

func newElection(w *world, flags ...string) *election {
	w.Helper()
	e := &election{world: w}
	flags = append([]string{"--leader-elect-lease-namespace=" + w.namespace}, flags...)
	for _, name := range []string{"one", "two", "three"} {
		c := w.controller(name, flags...)
		e.instances = append(e.instances, c)
		w.start(c)
	}
	return e
}

func (e *election) lease() *coordinationv1.Lease {
	e.Helper()
	leases, err := e.kube.CoordinationV1().Leases(e.namespace).List(e.Context(), metav1.ListOptions{})
	if err != nil {
		e.Fatal(err)
	}
	if len(leases.Items) == 0 {
		return nil
	}
	return &leases.Items[0]
}

// leader returns the instance that holds the Lease, or nil.
func (e *election) leader() *faults.Controller {
	e.Helper()
	lease := e.lease()
	if lease == nil || lease.Spec.HolderIdentity == nil {
		return nil
	}
	for _, c := range e.instances {
		if faults.BelongsTo(*lease.Spec.HolderIdentity, c.Name) {
			return c
		}
	}
	return nil
}

func (e *election) waitForLeader(limit time.Duration) *faults.Controller {
	e.Helper()
	var leader *faults.Controller
	e.eventually(limit, "somebody leads", func() bool { leader = e.leader(); return leader != nil })
	return leader
}

// freezeLeader freezes the leader after everything is published and it has got new work. It
// restarts a leader that has ended before, because it missed a renewal on a busy machine.
func (e *election) freezeLeader(giveWork func()) *faults.Controller {
	e.Helper()
	for range 5 {
		leader := e.waitForLeader(30 * time.Second)
		e.converges(30 * time.Second)
		giveWork()
		err := leader.Freeze()
		if err == nil {
			return leader
		}
		if !errors.Is(err, os.ErrProcessDone) {
			e.Fatal(err)
		}
		e.Logf("the leader missed a renewal and ended; starting it again")
		e.start(leader)
	}
	e.Fatal("each of 5 leaders ended before it was frozen")
	return nil
}

// wroteOnlyWithLease fails the test if an instance wrote without the Lease.
func (e *election) wroteOnlyWithLease() {
	e.Helper()
	for _, wrong := range faults.WritesWithoutLease(e.lease().Name, e.instances...) {
		e.Errorf("a write without the Lease: %s", wrong)
	}
}

// waitPublished returns the time from a moment until a flip is published.
func (e *election) waitPublished(limit time.Duration, ready bool, since time.Time) time.Duration {
	e.Helper()
	e.eventually(limit, "the flip is published", func() bool { return e.published(e.namespace, workloadName(0, 0), ready) })
	return time.Since(since)
}

// Fault: the leader is killed, two standbys wait, all with default settings.
// Promise: another instance takes over within the Lease's duration plus one retry, at most
// 15 s.
func TestLeaderKilled(t *testing.T) {
	e := newElection(newParallelWorld(t))
	e.seed(e.namespace, 1, 3)
	leader := e.waitForLeader(30 * time.Second)
	e.converges(30 * time.Second)
	leader.Kill()
	killed := time.Now()
	ready := e.flip(e.namespace, workloadName(0, 0))
	took := e.waitPublished(time.Minute, ready, killed)
	t.Logf("another instance had published %s after the kill", took)
	if took > 15*time.Second {
		t.Errorf("it took %s, want at most 15 s", took)
	}
	e.converges(10 * time.Second)
	e.wroteOnlyWithLease()
}

// Fault: SIGTERM to the leader.
// Promise: it exits with 0 and releases the Lease, so that another instance leads before the
// Lease would have expired: within a second on an idle machine.
func TestLeaderTerminated(t *testing.T) {
	e := newElection(newParallelWorld(t))
	e.seed(e.namespace, 1, 3)
	leader := e.waitForLeader(30 * time.Second)
	e.converges(30 * time.Second)
	terminated := time.Now()
	ended := make(chan error, 1)
	go func() { ended <- leader.Terminate() }()
	ready := e.flip(e.namespace, workloadName(0, 0))
	if e.published(e.namespace, workloadName(0, 0), ready) {
		t.Log("the former leader still published the flip")
	}
	took := e.waitPublished(time.Minute, ready, terminated)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	e.eventually(30*time.Second, "another instance leads", func() bool { now := e.leader(); return now != nil && now != leader })
	leads := time.Since(terminated)
	t.Logf("published %s and another led %s after SIGTERM", took, leads)
	if leads > quickLease {
		t.Errorf("another instance leads %s after SIGTERM, so it waited until the Lease expired", leads)
	}
	e.converges(10 * time.Second)
	e.wroteOnlyWithLease()
}

// Fault: the leader is frozen beyond its Lease while it has work, and then continues.
// Promise: it makes no write after another instance leads.
func TestLeaderFrozenBeyondItsLease(t *testing.T) {
	e := newElection(newParallelWorld(t), quick...)
	const services = 10
	e.seed(e.namespace, services, 3)
	for range 4 {
		// The leader has just got work when it is frozen, and gets more meanwhile.
		leader := e.freezeLeader(func() {
			for s := range services {
				e.flip(e.namespace, workloadName(s, 0))
			}
		})
		for s := range services {
			e.flip(e.namespace, workloadName(s, 1))
		}
		e.eventually(30*time.Second, "another instance leads", func() bool { now := e.leader(); return now != nil && now != leader })
		e.converges(30 * time.Second)
		for s := range services {
			e.flip(e.namespace, workloadName(s, 2))
		}
		if err := leader.Thaw(); err != nil {
			t.Fatal(err)
		}
		// It ends when it detects this, and is restarted.
		e.eventually(30*time.Second, "the thawed instance has ended", func() bool { return !leader.Running() })
		e.start(leader)
	}
	e.converges(30 * time.Second)
	e.wroteOnlyWithLease()
}

// Fault: the leader is frozen until another instance leads, and gets SIGTERM when it
// continues.
// Promise: it does not release the Lease of the other instance.
func TestFormerLeaderReleasesNothing(t *testing.T) {
	e := newElection(newParallelWorld(t), quick...)
	e.seed(e.namespace, 1, 3)
	for range 3 {
		former := e.freezeLeader(func() {})
		var next *faults.Controller
		e.eventually(30*time.Second, "another leads", func() bool { next = e.leader(); return next != nil && next != former })
		for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGCONT} {
			if err := former.Signal(signal); err != nil {
				t.Fatal(err)
			}
		}
		e.always(2*time.Second, "the new leader keeps the Lease", func() error {
			if now := e.leader(); now != next {
				return fmt.Errorf("the holder is now %q", *e.lease().Spec.HolderIdentity)
			}
			return nil
		})
		e.eventually(30*time.Second, "the former leader has ended", func() bool { return !former.Running() })
		e.start(former)
	}
	e.wroteOnlyWithLease()
}
