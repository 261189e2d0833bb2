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

// turns records when each key had its turns, and lets a test decide how long
// they take.
type turns struct {
	mu      sync.Mutex
	begin   time.Time
	started map[cache.ObjectName][]time.Duration
	late    []time.Duration
	running int
	most    int
	take    func(cache.ObjectName) time.Duration
}

func (r *turns) turn(ctx context.Context, key cache.ObjectName, late time.Duration) bool {
	r.mu.Lock()
	r.started[key] = append(r.started[key], time.Since(r.begin))
	r.late = append(r.late, late)
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

func (r *turns) of(key cache.ObjectName) []time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.started[key])
}

// run calls test inside a bubble with a running schedule, and ends it.
func run(t *testing.T, concurrency int, take func(cache.ObjectName) time.Duration, test func(*Schedule, *turns)) {
	synctest.Test(t, func(t *testing.T) {
		recorded := &turns{begin: time.Now(), started: map[cache.ObjectName][]time.Duration{}, take: take}
		schedule, err := New(clock.RealClock{}, concurrency, recorded.turn)
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

func TestTurnsAreSpreadEvenly(t *testing.T) {
	const keys, seconds = 10000, 10
	run(t, 2000, func(cache.ObjectName) time.Duration { return 10 * time.Millisecond }, func(s *Schedule, r *turns) {
		for i := range keys {
			// The seeds of real workloads are hashes; so are these.
			s.Set(name(i), Plan{Seed: uint64(i) * 0x9e3779b97f4a7c15, Period: seconds * time.Second, Spread: true})
		}
		after(3*seconds*time.Second - time.Nanosecond)
		perSecond := make([]int, 3*seconds)
		for i := range keys {
			at := r.of(name(i))
			if len(at) != 3 || at[1]-at[0] != seconds*time.Second || at[2]-at[1] != seconds*time.Second {
				t.Fatalf("turns of %s are at %v", name(i), at)
			}
			for _, when := range at {
				perSecond[int(when.Seconds())]++
			}
		}
		for second, count := range perSecond {
			if count < keys/seconds*9/10 || count > keys/seconds*11/10 {
				t.Errorf("%d turns in second %d, want about %d", count, second, keys/seconds)
			}
		}
		if latest := slices.Max(r.late); latest > 0 {
			t.Errorf("a turn was %s late", latest)
		}
	})
}

func TestFirstTurn(t *testing.T) {
	for title, test := range map[string]struct {
		plan func(now time.Time) Plan
		want []time.Duration
	}{
		"is due at once":             {plan: func(time.Time) Plan { return Plan{Period: time.Hour} }, want: []time.Duration{0}},
		"waits for its delay":        {plan: func(now time.Time) Plan { return Plan{Period: time.Hour, NotBefore: now.Add(3 * time.Second)} }, want: []time.Duration{3 * time.Second}},
		"does not wait for the past": {plan: func(now time.Time) Plan { return Plan{Period: time.Hour, NotBefore: now.Add(-time.Second)} }, want: []time.Duration{0}},
		"waits for its phase": {
			plan: func(time.Time) Plan {
				return Plan{Seed: uint64(2 * time.Second), Period: 4 * time.Second, Spread: true}
			},
			want: []time.Duration{2 * time.Second},
		},
	} {
		t.Run(title, func(t *testing.T) {
			run(t, 1, nil, func(s *Schedule, r *turns) {
				s.Set(name(0), test.plan(time.Now()))
				after(5 * time.Second)
				if got := r.of(name(0)); !slices.Equal(got, test.want) {
					t.Errorf("turns at %v, want %v", got, test.want)
				}
			})
		})
	}
}

func TestSetAndRemoveTakeEffectAtOnce(t *testing.T) {
	run(t, 1, nil, func(s *Schedule, r *turns) {
		s.Set(name(0), Plan{Period: time.Hour})
		after(time.Second)
		s.Set(name(0), Plan{Period: 2 * time.Second})
		after(2 * time.Second)
		if got := len(r.of(name(0))); got != 3 {
			t.Errorf("%d turns after the period became 2s, want 3: %v", got, r.of(name(0)))
		}
		s.Remove(name(0))
		after(time.Hour)
		if got := len(r.of(name(0))); got != 3 {
			t.Errorf("%d turns although the key was removed", got)
		}
	})
}

func TestRemoveCancelsATurn(t *testing.T) {
	forever := func(cache.ObjectName) time.Duration { return 100 * time.Hour }
	run(t, 1, forever, func(s *Schedule, r *turns) {
		s.Set(name(0), Plan{Period: time.Second})
		s.Set(name(1), Plan{Period: time.Second, NotBefore: time.Now().Add(time.Second)})
		after(time.Minute)
		if got := len(r.of(name(1))); got != 0 {
			t.Fatalf("%d turns run beside the only one that may", got)
		}
		s.Remove(name(0))
		after(0)
		if got := len(r.of(name(1))); got != 1 {
			t.Errorf("%d turns of the other key, want 1", got)
		}
	})
}

func TestConcurrencyIsBounded(t *testing.T) {
	run(t, 7, func(cache.ObjectName) time.Duration { return time.Second }, func(s *Schedule, r *turns) {
		for i := range 100 {
			s.Set(name(i), Plan{Period: time.Hour})
		}
		after(time.Minute)
		if r.most != 7 {
			t.Errorf("up to %d turns ran at the same time, want 7", r.most)
		}
		for i := range 100 {
			if len(r.of(name(i))) == 0 {
				t.Errorf("%s never had a turn", name(i))
			}
		}
	})
}

// TestSlowKeysDelayNobody has far more slow keys than there are goroutines.
func TestSlowKeysDelayNobody(t *testing.T) {
	isSlow := func(key cache.ObjectName) bool { return key.Name != name(0).Name }
	take := func(key cache.ObjectName) time.Duration {
		if isSlow(key) {
			return 5 * time.Second
		}
		return time.Millisecond
	}
	run(t, 10, take, func(s *Schedule, r *turns) {
		for i := range 100 {
			s.Set(name(i), Plan{Seed: uint64(i) * 0x9e3779b97f4a7c15, Period: time.Second, Spread: true})
		}
		// Nothing is known of any key at first: each slow one is in the way once.
		after(2 * time.Minute)
		before := len(r.of(name(0)))
		after(time.Minute)
		if got := len(r.of(name(0))) - before; got != 60 {
			t.Errorf("the quick key had %d turns in a minute, want 60", got)
		}
	})
}

func TestMissedTurnsAreLeftOut(t *testing.T) {
	run(t, 1, func(cache.ObjectName) time.Duration { return 3500 * time.Millisecond }, func(s *Schedule, r *turns) {
		s.Set(name(0), Plan{Period: time.Second})
		after(10 * time.Second)
		want := []time.Duration{0, 3500 * time.Millisecond, 7000 * time.Millisecond}
		if got := r.of(name(0)); !slices.Equal(got, want) {
			t.Errorf("turns at %v, want %v", got, want)
		}
		for _, late := range r.late {
			if late != 0 {
				t.Errorf("a turn was %s late; what the key itself took is no lateness", late)
			}
		}
	})
}

func TestConcurrencyMustBePositive(t *testing.T) {
	if _, err := New(clock.RealClock{}, 0, nil); err == nil {
		t.Error("a schedule without room for any turn was made")
	}
}
