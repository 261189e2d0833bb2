package leadership

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/kubernetes/scheme"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/ktesting"
	"k8s.io/utils/ptr"

	"github.com/external-workload/controller/internal/apifake"
)

const (
	leaseDuration = 15 * time.Second
	renewDeadline = 10 * time.Second
	retryPeriod   = 500 * time.Millisecond
)

// cluster is an API server that holds the Lease.
type cluster struct {
	t      *testing.T
	client *fake.Clientset
	api    *apifake.API
	// ended is Config.Ended of the processes that are started.
	ended func(identity string) bool
}

// process is a candidate for the Lease.
type process struct {
	gate *WriteGate
	// end terminates it.
	end func()
	// result receives the error of Run.
	result chan error
}

func inCluster(t *testing.T, test func(*cluster)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{t: t, client: fake.NewClientset()}
		c.api = apifake.Install(c.client, scheme.Scheme)
		test(c)
	})
}

func (c *cluster) start(identity string, lead func(context.Context) error) *process {
	c.t.Helper()
	lock, err := resourcelock.New(resourcelock.LeasesResourceLock, "system", "lease", c.client.CoreV1(), c.client.CoordinationV1(),
		resourcelock.ResourceLockConfig{Identity: identity})
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(klog.NewContext(c.t.Context(), ktesting.NewLogger(c.t, ktesting.NewConfig(ktesting.Verbosity(0)))))
	p := &process{gate: &WriteGate{}, end: cancel, result: make(chan error, 1)}
	go func() {
		p.result <- Run(ctx, Config{
			Lock: lock, LeaseDuration: leaseDuration, RenewDeadline: renewDeadline, RetryPeriod: retryPeriod, WriteGate: p.gate, Ended: c.ended,
		}, lead)
	}()
	synctest.Wait()
	return p
}

// freeze makes all further requests of a process fail.
func (c *cluster) freeze(identity string) {
	c.api.Fail(func(action clienttesting.Action) *apifake.Failure {
		if update, ok := action.(clienttesting.UpdateAction); ok {
			if lease, ok := update.GetObject().(*coordinationv1.Lease); ok && ptr.Deref(lease.Spec.HolderIdentity, "") == identity {
				return &apifake.Failure{Err: errors.New("frozen")}
			}
		}
		return nil
	})
}

// thaw ends freeze.
func (c *cluster) thaw() { c.api.Fail(nil) }

// writes reports whether a process may write now.
func (c *cluster) writes(p *process) bool {
	c.t.Helper()
	err := send(c.t, p.gate.Guard(&answer{}), http.MethodPut)
	if err != nil && !errors.Is(err, ErrWriteGateClosed) {
		c.t.Error(err)
	}
	return err == nil
}

// holders returns the holder after each write of the Lease since the last call.
func (c *cluster) holders() (holders []string) {
	for _, write := range c.api.Writes() {
		if lease, ok := write.Object.(*coordinationv1.Lease); ok && write.Err == nil {
			holders = append(holders, *lease.Spec.HolderIdentity)
		}
	}
	return holders
}

func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// untilEnd is work that continues until it must stop.
func untilEnd(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

func TestLeaseIsReleasedAfterTheWorkHasStopped(t *testing.T) {
	inCluster(t, func(c *cluster) {
		finish := make(chan struct{})
		p := c.start("a", func(ctx context.Context) error {
			<-ctx.Done()
			<-finish
			return nil
		})
		p.end()
		pass(leaseDuration + time.Second) // the work takes longer than the Lease lasts
		if !c.writes(p) {
			t.Error("the last writes of the work were refused")
		}
		for _, holder := range c.holders() {
			if holder != "a" {
				t.Errorf("the Lease was released to %q while the work continued", holder)
			}
		}
		open := true
		c.api.Fail(func(clienttesting.Action) *apifake.Failure {
			open = c.writes(p)
			return nil
		})
		close(finish)
		synctest.Wait()
		if open {
			t.Error("it may still write when it releases the Lease")
		}
		if got := c.holders(); len(got) != 1 || got[0] != "" {
			t.Errorf("after the work the holder is %q, want none", got)
		}
		if c.writes(p) {
			t.Error("it may write without the Lease")
		}
		if err := <-p.result; err != nil {
			t.Error(err)
		}
	})
}

func TestOneLeadsAfterTheOther(t *testing.T) {
	inCluster(t, func(c *cluster) {
		first := c.start("a", untilEnd)
		second := c.start("b", untilEnd)
		defer second.end()
		pass(time.Minute)
		if !c.writes(first) || c.writes(second) {
			t.Error("the first is not the only one that may write")
		}
		first.end()
		// The next attempt follows after a retry period and its jitter.
		pass(time.Duration((1 + leaderelection.JitterFactor) * float64(retryPeriod)))
		if c.writes(first) || !c.writes(second) {
			t.Error("the second is not the only one that may write")
		}
		second.end()
		synctest.Wait()
	})
}

func TestLostLeaseStopsTheWork(t *testing.T) {
	inCluster(t, func(c *cluster) {
		var notified time.Duration
		begin := time.Now()
		p := c.start("a", func(ctx context.Context) error {
			<-ctx.Done()
			notified = time.Since(begin)
			return nil
		})
		c.api.Fail(func(clienttesting.Action) *apifake.Failure {
			return &apifake.Failure{Err: apierrors.NewInternalError(errors.New("away"))}
		})
		if err := <-p.result; !errors.Is(err, ErrLost) {
			t.Errorf("got error %v", err)
		}
		if notified > leaseDuration {
			t.Errorf("the work was stopped only after %s, when the Lease was free", notified)
		}
		if c.writes(p) {
			t.Error("it may write without the Lease")
		}
	})
}

// TestLostLeaseIsNotReleasedDuringTheWork has an API server that comes back just when the
// Lease counts as lost, and work that does not stop at once.
func TestLostLeaseIsNotReleasedDuringTheWork(t *testing.T) {
	inCluster(t, func(c *cluster) {
		finish := make(chan struct{})
		p := c.start("a", func(ctx context.Context) error {
			<-ctx.Done()
			c.api.Fail(nil)
			<-finish
			return nil
		})
		c.api.Fail(func(action clienttesting.Action) *apifake.Failure {
			update, ok := action.(clienttesting.UpdateActionImpl)
			if !ok || *update.GetObject().(*coordinationv1.Lease).Spec.HolderIdentity == "" {
				return nil
			}
			return &apifake.Failure{Err: apierrors.NewInternalError(errors.New("away"))}
		})
		pass(renewDeadline + 2*time.Second)
		for _, holder := range c.holders() {
			if holder != "a" {
				t.Errorf("the Lease was released to %q while the work continued", holder)
			}
		}
		close(finish)
		if err := <-p.result; !errors.Is(err, ErrLost) {
			t.Errorf("got error %v", err)
		}
	})
}

func TestWritesAreRefusedWhenRenewalsFail(t *testing.T) {
	inCluster(t, func(c *cluster) {
		finish := make(chan struct{})
		p := c.start("a", func(context.Context) error {
			<-finish // the work ignores its context
			return nil
		})
		c.api.Fail(func(clienttesting.Action) *apifake.Failure {
			return &apifake.Failure{Err: apierrors.NewInternalError(errors.New("away"))}
		})
		pass(leaseDuration)
		if c.writes(p) {
			t.Error("it may write after the Lease expired")
		}
		close(finish)
		if err := <-p.result; !errors.Is(err, ErrLost) {
			t.Errorf("Run returned %v, want %v", err, ErrLost)
		}
	})
}

func TestWorkThatReturnsEndsTheTerm(t *testing.T) {
	broken := errors.New("broken")
	for name, test := range map[string]struct{ returned, want error }{
		"with an error":    {broken, broken},
		"without an error": {nil, ErrLost},
	} {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(c *cluster) {
				p := c.start("a", func(context.Context) error { return test.returned })
				if err := <-p.result; !errors.Is(err, test.want) {
					t.Errorf("got error %v, want %v", err, test.want)
				}
				if got := c.holders(); len(got) == 0 || got[len(got)-1] != "" {
					t.Errorf("the Lease was held by %q", got)
				}
			})
		})
	}
}

func TestEndBeforeTheLeaseIsTaken(t *testing.T) {
	inCluster(t, func(c *cluster) {
		first := c.start("a", untilEnd)
		second := c.start("b", func(context.Context) error {
			t.Error("it leads without the Lease")
			return nil
		})
		second.end()
		if err := <-second.result; err != nil {
			t.Error(err)
		}
		first.end()
		synctest.Wait()
	})
}

func TestUnneededRenewalsAreSkipped(t *testing.T) {
	inCluster(t, func(c *cluster) {
		p := c.start("a", untilEnd)
		c.holders()
		pass(leaseDuration)
		if got := len(c.holders()); got < renewals-2 || got > renewals {
			t.Errorf("the Lease was renewed %d times in its duration, want about %d", got, renewals)
		}
		p.end()
		synctest.Wait()
	})
}

func TestChangesAreNotified(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var notified []bool
		changing := &term{
			config: Config{OnChange: func(leading bool) { notified = append(notified, leading) }},
			lead:   untilEnd, stop: t.Context(), done: make(chan struct{}),
		}
		ctx, cancel := context.WithCancel(t.Context())
		go changing.begin(ctx)
		synctest.Wait()
		cancel()
		changing.end()
		if len(notified) != 2 || !notified[0] || notified[1] {
			t.Errorf("notified %v, want true and then false", notified)
		}
	})
}

func TestFormerLeaderDoesNotReleaseTheLeaseOfTheNext(t *testing.T) {
	inCluster(t, func(c *cluster) {
		p := c.start("a", untilEnd)
		leases := c.client.CoordinationV1().Leases("system")
		lease, err := leases.Get(t.Context(), "lease", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		lease.Spec.HolderIdentity = new("b")
		if _, err := leases.Update(t.Context(), lease, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		c.holders()
		p.end()
		if err := <-p.result; err != nil {
			t.Error(err)
		}
		if got := c.holders(); len(got) > 0 {
			t.Errorf("a former leader changed the holder of b's Lease to %q", got)
		}
	})
}

// TestRestartInThePodTakesTheLeaseAtOnce: kubelet restarts a container only after its last
// process has ended, so the new process need not wait.
func TestRestartInThePodTakesTheLeaseAtOnce(t *testing.T) {
	inCluster(t, func(c *cluster) {
		c.start("pod1-a", untilEnd)
		pass(3 * time.Second)
		// The process dies without releasing the Lease.
		c.ended = func(identity string) bool { return strings.HasPrefix(identity, "pod1-") }
		begin := time.Now()
		led := make(chan time.Time, 1)
		c.start("pod1-b", func(ctx context.Context) error {
			led <- time.Now()
			return untilEnd(ctx)
		})
		if waited := (<-led).Sub(begin); waited > 0 {
			t.Errorf("it acquired the Lease of its Pod only after %s", waited)
		}
	})
}

// TestStandbyWaitsForALeaderOfAnotherPod: the leader may be frozen.
func TestStandbyWaitsForALeaderOfAnotherPod(t *testing.T) {
	inCluster(t, func(c *cluster) {
		frozen := c.start("pod1-a", untilEnd)
		c.freeze("pod1-a")
		last := time.Now()
		pass(time.Second)
		c.ended = func(identity string) bool { return strings.HasPrefix(identity, "pod2-") }
		led := make(chan time.Time, 1)
		next := c.start("pod2-a", func(ctx context.Context) error {
			led <- time.Now()
			return untilEnd(ctx)
		})
		for len(led) == 0 {
			if c.writes(next) {
				t.Fatal("it writes before it leads")
			}
			pass(100 * time.Millisecond)
		}
		if c.writes(frozen) {
			t.Errorf("both may write %s after the last renewal", time.Since(last))
		}
	})
}

// TestFrozenPredecessorInThePodDoesNotTakeTheLeaseBack: even if two processes of a Pod
// live, the first one stops at the latest when its Lease has expired.
func TestFrozenPredecessorInThePodDoesNotTakeTheLeaseBack(t *testing.T) {
	inCluster(t, func(c *cluster) {
		c.ended = func(identity string) bool { return strings.HasPrefix(identity, "pod1-") }
		frozen := c.start("pod1-a", untilEnd)
		c.freeze("pod1-a")
		pass(time.Second)
		next := c.start("pod1-b", untilEnd)
		pass(leaseDuration)
		if c.writes(frozen) {
			t.Error("the first still writes after its Lease has expired")
		}
		c.thaw()
		pass(leaseDuration)
		if c.writes(frozen) || !c.writes(next) {
			t.Error("the first writes again, or the second does not")
		}
		if err := <-frozen.result; !errors.Is(err, ErrLost) {
			t.Errorf("the first ended with %v, want %v", err, ErrLost)
		}
		for _, holder := range c.holders()[1:] {
			if holder != "pod1-b" {
				t.Errorf("%q held the Lease after the second had acquired it", holder)
			}
		}
	})
}

// TestFirstLeaderDoesNotWait: a Lease that does not exist or names no holder is free.
func TestFirstLeaderDoesNotWait(t *testing.T) {
	for sentence, lease := range map[string]*coordinationv1.Lease{
		"there is no Lease":        nil,
		"the Lease has no content": {},
		"the Lease names nobody":   {Spec: coordinationv1.LeaseSpec{HolderIdentity: new(""), LeaseDurationSeconds: new(int32(15)), RenewTime: &metav1.MicroTime{}}},
	} {
		t.Run(sentence, func(t *testing.T) {
			inCluster(t, func(c *cluster) {
				if lease != nil {
					lease.Namespace, lease.Name = "system", "lease"
					if _, err := c.client.CoordinationV1().Leases("system").Create(c.t.Context(), lease, metav1.CreateOptions{}); err != nil {
						c.t.Fatal(err)
					}
				}
				if first := c.start("a", untilEnd); !c.writes(first) {
					c.t.Error("it waits")
				}
			})
		})
	}
}
