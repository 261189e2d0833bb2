package takeover

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestWritingBeginsWhenTheFormerHolderIsSilent(t *testing.T) {
	now := func(ago time.Duration) time.Time { return time.Now().Add(-ago) }
	for name, test := range map[string]struct {
		lease func() *coordinationv1.Lease
		want  time.Duration
	}{
		"Linkerd's controller leads":                   {func() *coordinationv1.Lease { return lease("linkerd-1", 30, now(time.Hour)) }, DefaultQuiet},
		"no holder":                                    {func() *coordinationv1.Lease { return lease("", 1, now(time.Hour)) }, DefaultQuiet},
		"another instance acquired it long ago":        {func() *coordinationv1.Lease { return lease(prefix+"b", 30, now(time.Hour)) }, 0},
		"another instance acquired it and ended early": {func() *coordinationv1.Lease { return lease(prefix+"b", 30, now(5*time.Second)) }, 7 * time.Second},
		"another instance's clock is ahead":            {func() *coordinationv1.Lease { return lease(prefix+"b", 30, now(-time.Hour)) }, DefaultQuiet},
		"it is parked":                                 {func() *coordinationv1.Lease { return lease(parked, parkedSeconds, now(time.Hour)) }, 0},
		"there is no Lease":                            {func() *coordinationv1.Lease { return nil }, 0},
		"another instance, without an acquire time":    {func() *coordinationv1.Lease { l := lease(prefix+"b", 30, now(0)); l.Spec.AcquireTime = nil; return l }, DefaultQuiet},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				r := start(t, newServer(test.lease()), Renew)
				<-r.begun
				if waited := time.Since(begin); waited != test.want {
					t.Errorf("writing began after %s, want %s", waited, test.want)
				}
			})
		})
	}
}

func TestTheLeaseIsKeptAsAnElectorWould(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(lease("linkerd-1", 30, time.Now()))
		r := start(t, s, Renew)
		<-r.begun
		for range 600 {
			elapse(time.Second)
			if age := time.Since(s.read().Spec.RenewTime.Time); age > 5*time.Second {
				t.Fatalf("the Lease was not renewed for %s, want about an eighth of its 30s", age)
			}
		}
		want := holding(prefix+"a", 30, 1)
		if diff := cmp.Diff(want, summary(s.read())); diff != "" {
			t.Errorf("Lease (-want +got):\n%s", diff)
		}
		if _, updates := s.counts(); updates > 200 {
			t.Errorf("%d updates in ten minutes, want at most one in three seconds", updates)
		}
	})
}

// TestClockThatGoesBackDoesNotStopTheRenewals: a renewal was due by the time in the Lease,
// which is in the future once the wall clock has gone back. Linkerd's controller led again.
func TestClockThatGoesBackDoesNotStopTheRenewals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(lease("linkerd-1", 30, time.Now()))
		<-start(t, s, Renew).begun
		s.renewedAt(time.Now().Add(10 * time.Minute))
		_, before := s.counts()
		elapse(time.Minute)
		if _, after := s.counts(); after-before < 10 {
			t.Errorf("%d renewals in a minute, want one in about four seconds", after-before)
		}
	})
}

func TestParkingIsOneWriteThatIsRepeatedWithinTheDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(lease("linkerd-1", 30, time.Now()))
		r := start(t, s, Park)
		<-r.begun
		elapse(2 * time.Hour)
		if _, updates := s.counts(); updates != 1 {
			t.Errorf("%d updates in two hours, want 1", updates)
		}
		if diff := cmp.Diff(holding(parked, parkedSeconds, 1), summary(s.read())); diff != "" {
			t.Errorf("Lease (-want +got):\n%s", diff)
		}
		elapse(22 * time.Hour)
		if age := time.Since(s.read().Spec.RenewTime.Time); age > 4*time.Hour {
			t.Errorf("after a day the Lease is %s old, and Linkerd's controller would lead", age)
		}
	})
}

func TestRenewingAfterParkingGivesTheLeaseItsUsualDuration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(lease(parked, parkedSeconds, time.Now()))
		<-start(t, s, Renew).begun
		if diff := cmp.Diff(holding(prefix+"a", usualSeconds, 1), summary(s.read())); diff != "" {
			t.Errorf("Lease (-want +got):\n%s", diff)
		}
	})
}

func TestStoppedInstanceDoesNotTouchTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(lease("linkerd-1", 30, time.Now()))
		r := start(t, s, Renew)
		<-r.begun
		r.stop()
		if err := <-r.ended; !errors.Is(err, errWork) {
			t.Fatalf("Lead returned %v, want what the work returned", err)
		}
		before, _ := s.counts()
		elapse(time.Hour)
		if after, _ := s.counts(); after != before {
			t.Errorf("%d requests after the end, want none", after-before)
		}
		if holder := summary(s.read()).Holder; holder != prefix+"a" {
			t.Errorf("the Lease is held by %q, want it left as it was", holder)
		}
	})
}

func TestAStopDuringTheWaitIsNoError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newServer(lease("linkerd-1", 30, time.Now())), Renew)
		elapse(time.Second)
		r.stop()
		if err := <-r.ended; err != nil {
			t.Errorf("Lead returned %v, want nil", err)
		}
	})
}

func TestLostLeaseIsAcquiredAgainWithBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(lease("linkerd-1", 30, time.Now()))
		<-start(t, s, Renew).begun
		var pauses []time.Duration
		for range 12 {
			s.hold("linkerd-2")
			begin := time.Now()
			for summary(s.read()).Holder == "linkerd-2" {
				elapse(100 * time.Millisecond)
			}
			pauses = append(pauses, time.Since(begin))
		}
		for i, pause := range pauses {
			least := min(firstRetake<<i, lastRetake)
			if pause < least || pause > least+lookPause {
				t.Errorf("loss %d was followed by a pause of %s, want about %s", i, pause, least)
			}
		}
		elapse(3 * lastRetake)
		s.hold("linkerd-2")
		elapse(30 * time.Second)
		if holder := summary(s.read()).Holder; holder != prefix+"a" {
			t.Errorf("after a quiet period a loss is followed by a long pause again: the holder is %q", holder)
		}
	})
}

func TestLossDuringTheWaitRestartsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, begin := newServer(lease("linkerd-1", 30, time.Now())), time.Now()
		r := start(t, s, Renew)
		elapse(11 * time.Second)
		s.hold("linkerd-1")
		<-r.begun
		if waited := time.Since(begin); waited < 11*time.Second+firstRetake+DefaultQuiet {
			t.Errorf("writing began after %s, before the restarted wait was over", waited)
		}
	})
}

func TestAnotherInstanceIsNotDisturbed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(lease("linkerd-1", 30, time.Now()))
		<-start(t, s, Renew).begun
		s.hold(prefix + "b")
		elapse(time.Hour)
		if holder := summary(s.read()).Holder; holder != prefix+"b" {
			t.Errorf("held by %q, want the other instance, which our own election lets lead", holder)
		}
	})
}

func TestWritingWaitsWhileTheLeaseCannotBeTaken(t *testing.T) {
	resource := schema.GroupResource{Group: "coordination.k8s.io", Resource: "leases"}
	for name, failure := range map[string]error{
		"the permission is missing":  apierrors.NewForbidden(resource, "l", errors.New("no")),
		"the API server fails":       apierrors.NewInternalError(errors.New("no")),
		"a conflict with its holder": apierrors.NewConflict(resource, "l", errors.New("no")),
		"the credentials expired":    apierrors.NewUnauthorized("no"),
	} {
		for _, verb := range []string{"get", "update"} {
			t.Run(name+", at "+verb, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newServer(lease("linkerd-1", 30, time.Now()))
					s.failing(map[string]error{verb: failure})
					r := start(t, s, Renew)
					elapse(time.Minute)
					select {
					case <-r.begun:
						t.Fatal("writing began without the Lease")
					default:
					}
					s.failing(nil)
					begin := time.Now()
					<-r.begun
					if waited := time.Since(begin); waited > retryPause+DefaultQuiet {
						t.Errorf("writing began %s after the failure ended", waited)
					}
				})
			})
		}
	}
}

func TestALeaseThatAppearsLaterIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(nil)
		<-start(t, s, Renew).begun
		s.appear(lease("linkerd-1", 30, time.Now()))
		elapse(lookPause + time.Second)
		if holder := summary(s.read()).Holder; holder != prefix+"a" {
			t.Errorf("held by %q, want us", holder)
		}
	})
}

func TestHandBack(t *testing.T) {
	for name, test := range map[string]struct {
		holder  string
		age     time.Duration
		removed string
		err     error
		want    record
	}{
		"a parked Lease becomes free":                              {holder: parked, removed: parked, want: holding("", shortSeconds, 0)},
		"one of an instance that has ended":                        {holder: prefix + "a", age: time.Minute, removed: prefix + "a", want: holding("", shortSeconds, 0)},
		"one of an instance that runs is left":                     {holder: prefix + "a", age: 2 * time.Second, err: ErrKept, want: holding(prefix+"a", 30, 0)},
		"one of an instance whose clock is a little ahead is left": {holder: prefix + "a", age: -2 * time.Second, err: ErrKept, want: holding(prefix+"a", 30, 0)},
		"one of an instance whose clock was an hour ahead":         {holder: prefix + "a", age: -time.Hour, removed: prefix + "a", want: holding("", shortSeconds, 0)},
		"one of Linkerd's controller is left":                      {holder: "linkerd-1", want: holding("linkerd-1", 30, 0)},
		"one that nobody holds is left":                            {holder: "", want: holding("", 30, 0)},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(lease(test.holder, 30, time.Now().Add(-test.age)))
			removed, err := HandBack(t.Context(), s, leaseName)
			if removed != test.removed || !errors.Is(err, test.err) {
				t.Errorf("HandBack returned %q, %v; want %q, %v", removed, err, test.removed, test.err)
			}
			if diff := cmp.Diff(test.want, summary(s.read())); diff != "" {
				t.Errorf("Lease (-want +got):\n%s", diff)
			}
		})
	}
}

var errWork = errors.New("the end of the work")

// running is a call of Lead.
type running struct {
	begun chan struct{}
	ended chan error
	stop  context.CancelFunc
}

// start calls Lead until the end of the test.
func start(t *testing.T, s *server, mode Mode) *running {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	r := &running{begun: make(chan struct{}), ended: make(chan error, 1), stop: stop}
	takeover := New(Config{Leases: s, Lease: leaseName, Identity: "a", Mode: mode})
	go func() {
		r.ended <- takeover.Lead(ctx, func(ctx context.Context) error {
			close(r.begun)
			<-ctx.Done()
			return errWork
		})
	}()
	return r
}

// elapse lets time pass on the clock of the test's bubble.
func elapse(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}
