package readiness

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCutOffProberWithdrawsNothing(t *testing.T) {
	for name, numbers := range map[string][2]string{
		"with the defaults":         {``, ``},
		"with a threshold of one":   {`,"failureThreshold":1`, `,"failureThreshold":1`},
		"with a long period":        {`,"periodSeconds":50,"failureThreshold":1`, `,"periodSeconds":50,"failureThreshold":1`},
		"with ten times to tell it": {`,"failureThreshold":10`, `,"failureThreshold":10`},
		"with quick ones and slow":  {`,"periodSeconds":2`, `,"periodSeconds":30`},
	} {
		t.Run(name, func(t *testing.T) {
			quick, _ := fleet(60, numbers[0])
			slow, _ := fleet(60, numbers[1])
			workloads := append(quick[:30], slow[30:]...)
			inWorld(t, workloads, Config{}, func(w *world) {
				w.pass(2 * time.Minute)
				w.setCutOff(true)
				w.pass(20 * time.Minute)
				if got := w.notReady(); len(got) > 0 {
					t.Errorf("withdrawn while the prober was cut off: %v", got)
				}
				w.setCutOff(false)
				for range 180 {
					w.pass(time.Second)
					if got := w.notReady(); len(got) > 0 {
						t.Fatalf("withdrawn after the prober was back: %v", got)
					}
				}
				if want := []bool{false, true, false}; !slices.Equal(w.holds, want) {
					t.Errorf("the hold was %v, want %v", w.holds, want)
				}
				if len(w.events) != 1 || !strings.HasPrefix(w.events[0], "Warning ReadinessHoldBegan") {
					t.Errorf("events are %v", w.events)
				}
			})
		})
	}
}

func TestCutOffOnStartWithdrawsNothing(t *testing.T) {
	workloads, _ := fleet(60, "")
	inWorld(t, workloads, Config{}, func(w *world) {
		w.setCutOff(true)
		w.pass(time.Hour)
		if got := w.notReady(); len(got) > 0 {
			t.Errorf("withdrawn: %v", got)
		}
	})
}

func TestZoneThatDiesIsWithdrawn(t *testing.T) {
	workloads, names := fleet(60, "")
	zone := names[:30]
	inWorld(t, workloads, Config{}, func(w *world) {
		w.pass(time.Minute)
		w.setDown(true, zone...)
		w.pass(15 * time.Second)
		if got := w.notReady(); len(got) > 0 {
			t.Errorf("withdrawn before three probes failed: %v", got)
		}
		w.pass(20 * time.Second)
		if diff := cmp.Diff(zone, w.notReady()); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		w.setDown(false, zone...)
		w.pass(11 * time.Second)
		if got := w.notReady(); len(got) > 0 {
			t.Errorf("still not ready: %v", got)
		}
		if w.holds[len(w.holds)-1] || len(w.holds) > 1 {
			t.Errorf("the hold was %v", w.holds)
		}
	})
}

func TestWhatIsDeadAfterTheHoldIsWithdrawn(t *testing.T) {
	workloads, names := fleet(60, "")
	inWorld(t, workloads, Config{}, func(w *world) {
		w.pass(time.Minute)
		w.setDown(true, names[0])
		w.setCutOff(true)
		w.pass(10 * time.Minute)
		w.setCutOff(false)
		w.pass(time.Minute)
		if diff := cmp.Diff(names[:1], w.notReady()); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	})
}

func TestHoldEndsAtItsMaximum(t *testing.T) {
	workloads, names := fleet(10, "")
	inWorld(t, workloads, Config{HoldMaximum: 5 * time.Minute, HoldRegarding: workloads[0]}, func(w *world) {
		w.pass(time.Minute)
		w.setCutOff(true)
		w.pass(5 * time.Minute)
		if got := w.notReady(); len(got) > 0 {
			t.Errorf("withdrawn before the maximum: %v", got)
		}
		w.pass(time.Minute)
		if diff := cmp.Diff(names, w.notReady()); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		if last := w.events[len(w.events)-11:]; !slices.ContainsFunc(last, func(e string) bool { return strings.HasPrefix(e, "Warning ReadinessHoldEnded") }) {
			t.Errorf("events are %v", w.events)
		}
	})
}
