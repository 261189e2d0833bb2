package schedule

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/tools/cache"
)

const (
	concurrency = 3000
	// onTime is how late a run of another namespace may be at most.
	onTime = 2 * time.Second
)

func attacker(i int) cache.ObjectName { return cache.NewObjectName("attacker", fmt.Sprint(i)) }
func victim(i int) cache.ObjectName   { return cache.NewObjectName("victim", fmt.Sprint(i)) }

func seed(i int) uint64 { return uint64(i) * 0x9e3779b97f4a7c15 }

// attackedSchedule runs 100 keys of a victim, and 3,000 of an attacker whose
// runs take as long as hang says. attack is called every second for two
// minutes. All runs of the victim must be on time, also those of new keys.
func attackedSchedule(t *testing.T, hang func(i int) time.Duration, attack func(s *Schedule, second int)) {
	t.Helper()
	take := func(key cache.ObjectName) time.Duration {
		if key.Namespace == "victim" {
			return time.Millisecond
		}
		var i int
		_, _ = fmt.Sscan(key.Name, &i)
		return hang(i)
	}
	withSchedule(t, concurrency, take, func(s *Schedule, r *runs) {
		for i := range 100 {
			s.Set(victim(i), Plan{Seed: seed(i), Period: 10 * time.Second, Spread: true})
		}
		for i := range 3000 {
			s.Set(attacker(i), Plan{Seed: seed(i), Period: 30 * time.Second})
		}
		for second := range 120 {
			attack(s, second)
			s.Set(victim(1000+second), Plan{Period: time.Hour})
			after(time.Second)
		}
		after(onTime)
		if late := r.lateOf["victim"]; late > onTime {
			t.Errorf("a run of the victim was %s late", late)
		}
		for second := range 120 {
			if len(r.of(victim(1000+second))) != 1 {
				t.Errorf("a new key of the victim was not run within %s", onTime)
			}
		}
		for i := range 100 {
			if runs := len(r.of(victim(i))); runs < 12 {
				t.Errorf("%s was run %d times in two minutes, want 12 at least", victim(i), runs)
			}
		}
	})
}

func TestThousandsThatHangDelayNoOtherNamespace(t *testing.T) {
	attackedSchedule(t, func(int) time.Duration { return 30 * time.Second }, func(*Schedule, int) {})
}

func TestTouchedKeysAreNotPrompt(t *testing.T) {
	attackedSchedule(t, func(int) time.Duration { return 30 * time.Second }, func(s *Schedule, second int) {
		for i := second % 3; i < 3000; i += 3 {
			s.Set(attacker(i), Plan{Seed: seed(i) + uint64(second), Period: 30 * time.Second})
		}
	})
}

func TestKeysThatAreQuickAndThenHangDelayNoOtherNamespace(t *testing.T) {
	var hang atomic.Bool
	take := func(int) time.Duration {
		if hang.Load() {
			return 30 * time.Second
		}
		return time.Millisecond
	}
	attackedSchedule(t, take, func(_ *Schedule, second int) { hang.Store(second > 40) })
}

func TestKeysThatHangEverySecondTimeDelayNoOtherNamespace(t *testing.T) {
	var calls [3000]atomic.Int32
	attackedSchedule(t, func(i int) time.Duration {
		if calls[i].Add(1)%2 == 0 {
			return 30 * time.Second
		}
		return time.Millisecond
	}, func(*Schedule, int) {})
}

func TestNamespacesTakeTurns(t *testing.T) {
	withSchedule(t, 1, func(cache.ObjectName) time.Duration { return time.Second }, func(s *Schedule, r *runs) {
		for i := range 50 {
			s.Set(attacker(i), Plan{Period: time.Hour})
		}
		after(0)
		for i := range 5 {
			s.Set(victim(i), Plan{Period: time.Hour})
		}
		after(11 * time.Second)
		for i := range 5 {
			if len(r.of(victim(i))) == 0 {
				t.Errorf("%s has not been run beside 50 of another namespace", victim(i))
			}
		}
	})
}

func TestRunEarly(t *testing.T) {
	withSchedule(t, 10, nil, func(s *Schedule, r *runs) {
		s.Set(victim(0), Plan{Period: 10 * time.Second})
		after(3 * time.Second)
		s.RunEarly(victim(0), victim(99))
		after(18 * time.Second)
		got := r.of(victim(0))
		if len(got) != 4 || got[1] != 3*time.Second || got[3]-got[2] != 10*time.Second || r.early != 1 {
			t.Errorf("runs at %v, %d of them early; want one early at 3s, and the others where they were due", got, r.early)
		}
	})
}

func TestRunEarlyPassesThoseWhoWait(t *testing.T) {
	withSchedule(t, 10, func(key cache.ObjectName) time.Duration {
		if key.Namespace == "attacker" {
			return 30 * time.Second
		}
		return time.Millisecond
	}, func(s *Schedule, r *runs) {
		s.Set(victim(0), Plan{Period: time.Hour})
		after(time.Second)
		for i := range 100 {
			s.Set(attacker(i), Plan{Period: time.Minute})
		}
		after(time.Second)
		s.RunEarly(victim(0), attacker(99), attacker(0))
		after(0)
		if len(r.of(victim(0))) != 2 || len(r.of(attacker(99))) != 1 || len(r.of(attacker(0))) != 1 {
			t.Errorf("runs at %v, %v and %v; want the first two at once, and the third left alone", r.of(victim(0)), r.of(attacker(99)), r.of(attacker(0)))
		}
		s.Remove(victim(0))
		s.RunEarly(victim(0))
		after(time.Hour)
		if got := r.of(victim(0)); len(got) != 2 || !slices.IsSorted(got) {
			t.Errorf("a removed key was run: %v", got)
		}
	})
}
