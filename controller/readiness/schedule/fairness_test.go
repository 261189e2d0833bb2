package schedule

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"
)

const (
	concurrency = 3000
	// onTime is the maximum lateness of a run in another namespace.
	onTime = 2 * time.Second
)

func attacker(i int) cache.ObjectName { return cache.NewObjectName("attacker", fmt.Sprint(i)) }
func victim(i int) cache.ObjectName   { return cache.NewObjectName("victim", fmt.Sprint(i)) }

func seed(i int) uint64 { return uint64(i) * 0x9e3779b97f4a7c15 }

// attackedSchedule runs 100 keys of a victim, and 3,000 keys of an attacker whose runs
// take as long as hang returns. It calls attack every second for two minutes. All runs of
// the victim must be on time, also those of new keys.
func attackedSchedule(t *testing.T, hang func(i int) time.Duration, attack func(s *Schedule, second int)) {
	t.Helper()
	attackedWith(t, Capacity{Total: concurrency, Largest: 1}, func(int) int64 { return 1 }, hang, attack)
}

// attackedWith is attackedSchedule with a capacity and the costs of the attacker's and
// the victim's runs.
func attackedWith(t *testing.T, capacity Capacity, cost func(i int) int64, hang func(i int) time.Duration, attack func(s *Schedule, second int)) {
	t.Helper()
	take := func(key cache.ObjectName) time.Duration {
		if key.Namespace == "victim" {
			return time.Millisecond
		}
		var i int
		_, _ = fmt.Sscan(key.Name, &i)
		return hang(i)
	}
	withCapacity(t, capacity, take, func(s *Schedule, r *runs) {
		for i := range 100 {
			s.Set(victim(i), Plan{Seed: seed(i), Period: 10 * time.Second, Spread: true, Cost: cost(i)})
		}
		for i := range 3000 {
			s.Set(attacker(i), Plan{Seed: seed(i), Period: 30 * time.Second, Cost: capacity.Largest})
		}
		for second := range 120 {
			attack(s, second)
			s.Set(victim(1000+second), Plan{Period: time.Hour, Cost: cost(second)})
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
				t.Errorf("%s was run %d times in two minutes, want at least 12", victim(i), runs)
			}
		}
	})
}

func TestThousandsThatHangDelayNoOtherNamespace(t *testing.T) {
	attackedSchedule(t, func(int) time.Duration { return 30 * time.Second }, func(*Schedule, int) {})
}

// memory is a capacity in bytes; the costs of runs differ widely.
var memory = Capacity{Total: 64 << 20, Largest: 256 << 10}

// TestCostlyRunsOfOneNamespaceDelayNoOther: 256 runs took all the memory, and runs of
// others waited until they ended.
func TestCostlyRunsOfOneNamespaceDelayNoOther(t *testing.T) {
	for title, slow := range map[string]bool{
		"while they are known to be slow":  true,
		"while they are classed as prompt": false,
	} {
		t.Run(title, func(t *testing.T) {
			var calls [3000]atomic.Int32
			hang := func(i int) time.Duration {
				if !slow && calls[i].Add(1)%2 == 1 {
					return time.Millisecond
				}
				return 30 * time.Second
			}
			attackedWith(t, memory, func(i int) int64 { return []int64{16 << 10, 40 << 10, 128 << 10, 256 << 10}[i%4] }, hang, func(*Schedule, int) {})
		})
	}
}

// TestHungRunsOfSevenNamespacesDelayNoOther: a namespace could take four times the free
// capacity, so three namespaces in a row left nothing.
func TestHungRunsOfSevenNamespacesDelayNoOther(t *testing.T) {
	take := func(key cache.ObjectName) time.Duration {
		if key.Namespace == "victim" {
			return time.Millisecond
		}
		return 30 * time.Second
	}
	for title, pause := range map[string]time.Duration{"at the same time": 0, "one after the other": 5 * time.Second} {
		t.Run(title, func(t *testing.T) {
			withCapacity(t, memory, take, func(s *Schedule, r *runs) {
				for n := range 7 {
					for i := range 300 {
						s.Set(cache.NewObjectName(fmt.Sprintf("attacker-%d", n), fmt.Sprint(i)), Plan{Seed: seed(i), Period: 30 * time.Second})
					}
					after(pause)
				}
				for second := range 300 {
					s.Set(victim(second), Plan{Period: time.Hour})
					after(time.Second)
				}
				after(onTime)
				if late := r.lateOf["victim"]; late > onTime || len(r.started) < 300 {
					t.Errorf("new keys of the victim were up to %s late", late)
				}
			})
		})
	}
}

// TestCheapRunsDoNotKeepCostlyOnesOut: free capacity is reserved until the costliest run
// fits. Otherwise cheaper runs would take it each time.
func TestCheapRunsDoNotKeepCostlyOnesOut(t *testing.T) {
	take := func(cache.ObjectName) time.Duration { return 400 * time.Millisecond }
	withCapacity(t, Capacity{Total: 100, Largest: 40}, take, func(s *Schedule, r *runs) {
		for i := range 200 {
			key := cache.NewObjectName(fmt.Sprintf("cheap-%d", i), "w")
			// They end one by one, and each time another run is due.
			s.Set(key, Plan{Seed: seed(i), Period: 6 * time.Second, Cost: 10, Created: time.Now(), InitialDelay: time.Duration(i) * 30 * time.Millisecond})
		}
		after(30 * time.Second)
		s.Set(victim(0), Plan{Period: time.Hour, Cost: 40})
		after(10 * time.Minute)
		if len(r.of(victim(0))) == 0 {
			t.Error("a costly run never started while cheap ones ran")
		}
	})
}

func TestRunsStayWithinTheCapacity(t *testing.T) {
	for title, test := range map[string]struct {
		cost int64
		want int
	}{
		"a cost of a tenth":                      {10, 7}, // 40 stay free
		"the largest cost":                       {40, 2},
		"no cost, which counts as the largest":   {0, 2},
		"more than the largest, which counts so": {99, 2},
	} {
		t.Run(title, func(t *testing.T) {
			quickAtFirst := map[cache.ObjectName]bool{}
			take := func(key cache.ObjectName) time.Duration {
				if !quickAtFirst[key] {
					quickAtFirst[key] = true
					return time.Millisecond
				}
				return 20 * time.Second
			}
			withCapacity(t, Capacity{Total: 100, Largest: 40}, take, func(s *Schedule, r *runs) {
				for i := range 50 {
					s.Set(cache.NewObjectName(fmt.Sprint(i), "w"), Plan{Period: time.Second, Cost: test.cost})
				}
				after(time.Minute)
				if r.most != test.want {
					t.Errorf("up to %d runs at the same time, want %d", r.most, test.want)
				}
			})
		})
	}
}

func TestCapacityHasRoomForTheLargestRun(t *testing.T) {
	for title, capacity := range map[string]Capacity{
		"nothing":               {},
		"no largest run":        {Total: 1},
		"less than one of them": {Total: 1, Largest: 2},
	} {
		t.Run(title, func(t *testing.T) {
			if _, err := New(clock.RealClock{}, capacity, nil); err == nil {
				t.Error("a schedule without capacity for any run was accepted")
			}
		})
	}
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
				t.Errorf("%s was not run while 50 of another namespace were", victim(i))
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
			t.Errorf("runs at %v, %d of them early; want one early at 3s, and the others when due", got, r.early)
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
			t.Errorf("runs at %v, %v and %v; want the first two at once, and the third unchanged", r.of(victim(0)), r.of(attacker(99)), r.of(attacker(0)))
		}
		s.Remove(victim(0))
		s.RunEarly(victim(0))
		after(time.Hour)
		if got := r.of(victim(0)); len(got) != 2 || !slices.IsSorted(got) {
			t.Errorf("a removed key was run: %v", got)
		}
	})
}
