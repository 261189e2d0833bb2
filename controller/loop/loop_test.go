package loop

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/ktesting"
)

// record collects what the loop reports.
type record struct {
	mu      sync.Mutex
	results []string
	panics  int
}

func (r *record) Reconciled(_, result string, _ time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.results = append(r.results, result)
}

func (r *record) PanicRecovered(string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.panics++
}

func key(name string) cache.ObjectName { return cache.NewObjectName("ns", name) }

// run starts a loop in the test's bubble and returns how to stop it.
func run(t *testing.T, workers int, sync Sync) (*Loop, *record, func()) {
	t.Helper()
	observed := &record{}
	l := New(Config{Name: "test", Sync: sync, Observer: observed, MaxBackoff: time.Minute})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); l.Run(ctx, workers) }()
	return l, observed, func() { cancel(); <-done }
}

func TestAFailingKeyIsRetriedForEverWithCappedBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var times []time.Time
		l, _, stop := run(t, 1, func(context.Context, cache.ObjectName) (Outcome, error) {
			times = append(times, time.Now())
			return Outcome{}, errors.New("refused")
		})
		defer stop()
		l.Add(key("a"))
		elapse(2 * time.Hour)
		synctest.Wait()
		if len(times) < 100 {
			t.Fatalf("key was tried %d times in two hours, want it never dropped", len(times))
		}
		for i := 1; i < len(times); i++ {
			if gap := times[i].Sub(times[i-1]); gap > time.Minute {
				t.Fatalf("pause before retry %d is %s, want at most the cap of 1m", i, gap)
			}
		}
	})
}

// The fault: every retry of a failing key was logged, 30 lines an hour for each Service.
func TestKeyThatFailsForHoursDoesNotFillTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logger := ktesting.NewLogger(t, ktesting.NewConfig(ktesting.BufferLogs(true), ktesting.Verbosity(0)))
		var succeeds atomic.Bool
		l := New(Config{Name: "test", Observer: &record{}, Sync: func(context.Context, cache.ObjectName) (Outcome, error) {
			if !succeeds.Load() {
				return Outcome{}, errors.New("refused")
			}
			return Outcome{}, nil
		}})
		ctx, cancel := context.WithCancel(klog.NewContext(t.Context(), logger))
		done := make(chan struct{})
		go func() { defer close(done); l.Run(ctx, 1) }()
		l.Add(key("a"))
		elapse(24 * time.Hour)
		succeeds.Store(true)
		elapse(DefaultMaxBackoff + time.Second)
		cancel()
		<-done
		log := logger.GetSink().(ktesting.Underlier).GetBuffer().String()
		if lines := strings.Count(log, "Sync failed"); lines < 5 || lines > 12 {
			t.Errorf("24 hours of failures are logged in %d lines, want a few:\n%s", lines, log)
		}
		if lines := strings.Count(log, "succeeded"); lines != 1 {
			t.Errorf("the end of the failures is logged in %d lines, want 1:\n%s", lines, log)
		}
	})
}

func TestAPanicIsCountedAndStopsNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		synced := map[string]bool{}
		l, observed, stop := run(t, 1, func(_ context.Context, k cache.ObjectName) (Outcome, error) {
			if k.Name == "bad" && !synced["bad"] {
				synced["bad"] = true
				panic("broken object")
			}
			synced[k.Name] = true
			return Outcome{Result: "ok"}, nil
		})
		defer stop()
		l.Add(key("bad"))
		l.Add(key("good"))
		elapse(time.Second)
		synctest.Wait()
		if observed.panics != 1 || !synced["good"] {
			t.Errorf("panics counted: %d, neighbour synced: %t; want 1, true", observed.panics, synced["good"])
		}
		if diff := cmp.Diff([]string{ResultPanic, "ok", "ok"}, observed.results); diff != "" {
			t.Errorf("results (-want +got):\n%s", diff)
		}
	})
}

func TestAnOutcomeWithAfterIsSyncedAgainWithoutBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin, calls := time.Now(), 0
		var last time.Duration
		l, _, stop := run(t, 1, func(context.Context, cache.ObjectName) (Outcome, error) {
			calls++
			last = time.Since(begin)
			if calls < 4 {
				return Outcome{Result: "held", After: 100 * time.Millisecond}, nil
			}
			return Outcome{Result: "ok"}, nil
		})
		defer stop()
		l.Add(key("a"))
		elapse(time.Minute)
		synctest.Wait()
		if calls != 4 || last != 300*time.Millisecond {
			t.Errorf("synced %d times, last after %s; want 4 times, last after 300ms", calls, last)
		}
	})
}

func TestStoppingFinishesTheKeyInFlightAndTakesNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var finished []string
		l, _, stop := run(t, 1, func(_ context.Context, k cache.ObjectName) (Outcome, error) {
			elapse(time.Second)
			finished = append(finished, k.Name)
			return Outcome{Result: "ok"}, nil
		})
		l.Add(key("first"))
		l.Add(key("second"))
		elapse(time.Millisecond)
		stop()
		if diff := cmp.Diff([]string{"first"}, finished); diff != "" {
			t.Errorf("finished keys (-want +got):\n%s", diff)
		}
	})
}

func TestStuckOnlyWhileAKeyMakesNoProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		l, _, stop := run(t, 1, func(context.Context, cache.ObjectName) (Outcome, error) {
			<-release
			return Outcome{Result: "ok"}, nil
		})
		defer stop()
		elapse(24 * time.Hour)
		if err := l.Stuck(); err != nil {
			t.Fatalf("an idle loop returns %q, want no error", err)
		}
		l.Add(key("a"))
		elapse(StuckAfter - time.Second)
		if err := l.Stuck(); err != nil {
			t.Fatalf("before StuckAfter the loop returns %q, want no error", err)
		}
		elapse(2 * time.Second)
		if l.Stuck() == nil {
			t.Fatal("a key has been processed for longer than StuckAfter, want an error")
		}
		close(release)
		synctest.Wait()
		if err := l.Stuck(); err != nil {
			t.Fatalf("after the key was finished the loop returns %q, want no error", err)
		}
	})
}

// elapse lets time pass on the clock of the test's bubble.
func elapse(d time.Duration) { <-time.After(d) }
