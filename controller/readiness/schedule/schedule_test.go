package schedule

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"
)

func name(i int) cache.ObjectName {
	return cache.ObjectName{Namespace: "ns", Name: fmt.Sprintf("w%d", i)}
}

// runs records when each key was run. A test decides how long a run takes.
type runs struct {
	mu      sync.Mutex
	begin   time.Time
	started map[cache.ObjectName][]time.Duration
	late    []time.Duration
	lateOf  map[string]time.Duration // the maximum lateness of each namespace
	early   int
	running int
	most    int
	take    func(cache.ObjectName) time.Duration
}

func (r *runs) run(ctx context.Context, key cache.ObjectName, run Run) bool {
	r.mu.Lock()
	r.started[key] = append(r.started[key], time.Since(r.begin))
	r.late = append(r.late, run.Late)
	r.lateOf[key.Namespace] = max(r.lateOf[key.Namespace], run.Late)
	if run.Early {
		r.early++
	}
	r.running++
	r.most = max(r.most, r.running)
	take := time.Duration(0)
	if r.take != nil {
		take = r.take(key)
	}
	r.mu.Unlock()
	if take > 0 {
		select {
		case <-time.After(take):
		case <-ctx.Done():
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running--
	return take > 500*time.Millisecond
}

func (r *runs) of(key cache.ObjectName) []time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.started[key])
}

// withSchedule calls test inside a bubble with a running schedule of that many
// concurrent runs.
func withSchedule(t *testing.T, concurrency int64, take func(cache.ObjectName) time.Duration, test func(*Schedule, *runs)) {
	t.Helper()
	withCapacity(t, Capacity{Total: concurrency, Largest: 1}, take, test)
}

func withCapacity(t *testing.T, capacity Capacity, take func(cache.ObjectName) time.Duration, test func(*Schedule, *runs)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		recorded := &runs{begin: time.Now(), started: map[cache.ObjectName][]time.Duration{}, lateOf: map[string]time.Duration{}, take: take}
		schedule, err := New(clock.RealClock{}, capacity, recorded.run)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { schedule.Run(ctx) })
		test(schedule, recorded)
		cancel()
		running.Wait()
	})
}

// after lets time pass inside the bubble.
func after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestRunsAreSpreadEvenly(t *testing.T) {
	const keys, seconds = 10000, 10
	withSchedule(t, 2000, func(cache.ObjectName) time.Duration { return 10 * time.Millisecond }, func(s *Schedule, r *runs) {
		for i := range keys {
			// The seeds of real workloads are hashes; so are these.
			s.Set(name(i), Plan{Seed: uint64(i) * 0x9e3779b97f4a7c15, Period: seconds * time.Second, Spread: true})
		}
		after(3*seconds*time.Second - time.Nanosecond)
		perSecond := make([]int, 3*seconds)
		for i := range keys {
			at := r.of(name(i))
			if len(at) != 3 || at[1]-at[0] != seconds*time.Second || at[2]-at[1] != seconds*time.Second {
				t.Fatalf("runs of %s are at %v", name(i), at)
			}
			for _, when := range at {
				perSecond[int(when.Seconds())]++
			}
		}
		for second, count := range perSecond {
			if count < keys/seconds*9/10 || count > keys/seconds*11/10 {
				t.Errorf("%d runs in second %d, want about %d", count, second, keys/seconds)
			}
		}
		if latest := slices.Max(r.late); latest > 0 {
			t.Errorf("a run was %s late", latest)
		}
	})
}

func TestFirstRun(t *testing.T) {
	for title, test := range map[string]struct {
		plan func(now time.Time) Plan
		want []time.Duration
	}{
		"is due at once": {plan: func(time.Time) Plan { return Plan{Period: time.Hour} }, want: []time.Duration{0}},
		"waits for its delay": {plan: func(now time.Time) Plan {
			return Plan{Period: time.Hour, Created: now.Add(-2 * time.Second), InitialDelay: 5 * time.Second}
		}, want: []time.Duration{3 * time.Second}},
		"does not wait for the past": {plan: func(now time.Time) Plan {
			return Plan{Period: time.Hour, Created: now.Add(-time.Hour), InitialDelay: time.Minute}
		}, want: []time.Duration{0}},
		"counts its delay from first sight if the creation is in the future": {
			plan: func(now time.Time) Plan {
				return Plan{Period: time.Hour, Created: now.Add(time.Hour), InitialDelay: 2 * time.Second}
			},
			want: []time.Duration{2 * time.Second},
		},
		"waits for its phase": {
			plan: func(time.Time) Plan {
				return Plan{Seed: uint64(2 * time.Second), Period: 4 * time.Second, Spread: true}
			},
			want: []time.Duration{2 * time.Second},
		},
	} {
		t.Run(title, func(t *testing.T) {
			withSchedule(t, 1, nil, func(s *Schedule, r *runs) {
				s.Set(name(0), test.plan(time.Now()))
				after(5 * time.Second)
				if got := r.of(name(0)); !slices.Equal(got, test.want) {
					t.Errorf("runs at %v, want %v", got, test.want)
				}
			})
		})
	}
}

func TestSetAndRemoveTakeEffectAtOnce(t *testing.T) {
	withSchedule(t, 1, nil, func(s *Schedule, r *runs) {
		s.Set(name(0), Plan{Period: time.Hour})
		after(time.Second)
		s.Set(name(0), Plan{Period: 2 * time.Second})
		after(2 * time.Second)
		if got := len(r.of(name(0))); got != 3 {
			t.Errorf("%d runs after the period became 2s, want 3: %v", got, r.of(name(0)))
		}
		s.Remove(name(0))
		after(time.Hour)
		if got := len(r.of(name(0))); got != 3 {
			t.Errorf("%d runs although the key was removed", got)
		}
	})
}

func TestRemoveCancelsARun(t *testing.T) {
	forever := func(cache.ObjectName) time.Duration { return 100 * time.Hour }
	withSchedule(t, 1, forever, func(s *Schedule, r *runs) {
		s.Set(name(0), Plan{Period: time.Second})
		s.Set(name(1), Plan{Period: time.Second, Created: time.Now(), InitialDelay: time.Second})
		after(time.Minute)
		if got := len(r.of(name(1))); got != 0 {
			t.Fatalf("%d other runs, want none while the only permitted one runs", got)
		}
		s.Remove(name(0))
		after(0)
		if got := len(r.of(name(1))); got != 1 {
			t.Errorf("%d runs of the other key, want 1", got)
		}
	})
}

func TestConcurrencyIsBounded(t *testing.T) {
	withSchedule(t, 8, func(cache.ObjectName) time.Duration { return 400 * time.Millisecond }, func(s *Schedule, r *runs) {
		key := func(i int) cache.ObjectName { return cache.NewObjectName(fmt.Sprintf("ns-%d", i), "w") }
		for i := range 100 {
			s.Set(key(i), Plan{Period: time.Second})
		}
		after(time.Minute)
		if r.most != 8 {
			t.Errorf("up to %d runs at the same time, want 8", r.most)
		}
		for i := range 100 {
			if len(r.of(key(i))) == 0 {
				t.Errorf("%s was never run", key(i))
			}
		}
	})
}

// TestSlowKeysDelayNobody has far more slow keys than goroutines.
func TestSlowKeysDelayNobody(t *testing.T) {
	isSlow := func(key cache.ObjectName) bool { return key.Name != name(0).Name }
	take := func(key cache.ObjectName) time.Duration {
		if isSlow(key) {
			return 5 * time.Second
		}
		return time.Millisecond
	}
	withSchedule(t, 10, take, func(s *Schedule, r *runs) {
		for i := range 100 {
			s.Set(name(i), Plan{Seed: uint64(i) * 0x9e3779b97f4a7c15, Period: time.Second, Spread: true})
		}
		// At first it is unknown which keys are slow: each slow key delays others once.
		after(2 * time.Minute)
		before := len(r.of(name(0)))
		after(time.Minute)
		if got := len(r.of(name(0))) - before; got != 60 {
			t.Errorf("the quick key had %d runs in a minute, want 60", got)
		}
	})
}

func TestMissedRunsAreSkipped(t *testing.T) {
	withSchedule(t, 1, func(cache.ObjectName) time.Duration { return 3500 * time.Millisecond }, func(s *Schedule, r *runs) {
		s.Set(name(0), Plan{Period: time.Second})
		after(10 * time.Second)
		want := []time.Duration{0, 3500 * time.Millisecond, 7000 * time.Millisecond}
		if got := r.of(name(0)); !slices.Equal(got, want) {
			t.Errorf("runs at %v, want %v", got, want)
		}
		for _, late := range r.late {
			if late != 0 {
				t.Errorf("a run was %s late; the duration of the key's own run does not count", late)
			}
		}
	})
}
