package hold

import (
	"fmt"
	"testing"
	"time"
)

// threshold is the time until failures of a machine with the default probe are decided:
// three periods and a timeout. Every bound of these tests adds the two seconds for
// evidence.
const threshold, evidenceDelay = 31 * time.Second, 2 * time.Second

// healthyNamespaces adds namespaces, each with two machines that answer.
func (w *world) healthyNamespaces(n int) (machines []*machine) {
	for i := range n {
		machines = append(machines, w.add(2, fmt.Sprintf("healthy-%d", i))...)
	}
	return machines
}

func TestLongPeriodsAreProbedEarlyInsteadOfCountedAsHealthy(t *testing.T) {
	w := newWorld(defaults)
	all := append(w.add(60, "shop"), w.add(240, "shop", every(300*time.Second))...)
	w.atOnce()
	w.pass(5 * time.Minute)
	w.cutOff = true
	w.pass(9 * time.Minute)
	needReady(t, all)
	if w.began != 1 || w.ended != 0 {
		t.Errorf("%d holds began and %d ended, want one that has not ended", w.began, w.ended)
	}
	w.cutOff = false
	w.pass(time.Minute)
	if w.ended != 1 || w.expired != 0 {
		t.Errorf("%d holds ended, %d by their maximum; want one, since probes succeed again", w.ended, w.expired)
	}
	w.pass(20 * time.Minute)
	needReady(t, all)
}

func TestDayLongPeriodsDoNotDisarmTheHold(t *testing.T) {
	w := newWorld(defaults)
	w.add(100, "attacker", every(24*time.Hour))
	victims := append(w.add(60, "shop"), w.healthyNamespaces(5)...)
	w.atOnce()
	w.pass(time.Minute)
	w.cutOff = true
	w.pass(9 * time.Minute)
	needReady(t, victims)
}

func TestMachinesOfOneServiceThatDieAreWithdrawn(t *testing.T) {
	for name, others := range map[string]int{"beside one other namespace": 1, "beside many": 100} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(defaults)
			w.healthyNamespaces(others)
			dying := w.add(3, "shop")
			w.atOnce()
			w.pass(time.Minute)
			died := w.now
			kill(dying)
			w.pass(40 * time.Second)
			needWithdrawn(t, dying, died, threshold+evidenceDelay)
			if w.began != 0 {
				t.Errorf("%d holds began", w.began)
			}
		})
	}
}

// A prober that reaches one machine of a namespace reaches the others too, so failures
// in other namespaces do not keep a dead machine ready.
func TestMachineWhoseNeighbourAnswersIsWithdrawn(t *testing.T) {
	w := newWorld(defaults)
	elsewhere := w.healthyNamespaces(5)
	shop := w.add(2, "shop")
	w.atOnce()
	w.pass(time.Minute)
	died := w.now
	kill(append(elsewhere, shop[0]))
	w.pass(40 * time.Second)
	needWithdrawn(t, shop[:1], died, threshold+evidenceDelay)
}

// If most namespaces have answered since the failures began, there is nothing to probe
// early, and a withdrawal does not wait for evidence.
func TestWithdrawalBesideQuickProbesWaitsForNothing(t *testing.T) {
	w := newWorld(defaults)
	for i := range 5 {
		w.add(2, fmt.Sprintf("quick-%d", i), every(time.Second))
	}
	dying := w.add(1, "shop")
	w.add(2, "slow", every(time.Hour))
	w.atOnce()
	w.pass(time.Minute)
	kill(dying)
	w.pass(40 * time.Second)
	if m := dying[0]; m.withdrawn.IsZero() || m.withdrawn.Sub(m.thresholdAt) > tick {
		t.Errorf("withdrawn at %v, and its threshold was reached at %v", m.withdrawn, m.thresholdAt)
	}
	for _, m := range w.machines {
		if m.probesEarly > 0 {
			t.Errorf("%s was probed early %d times", m.key, m.probesEarly)
		}
	}
}

func TestNamespaceThatFailsWholeIsWithdrawnHoweverLarge(t *testing.T) {
	w := newWorld(defaults)
	w.healthyNamespaces(3)
	dying := w.add(1000, "shop")
	w.atOnce()
	w.pass(time.Minute)
	died := w.now
	kill(dying)
	w.pass(40 * time.Second)
	needWithdrawn(t, dying, died, threshold+evidenceDelay)
}

func TestHalfOfTheOnlyNamespaceIsWithdrawn(t *testing.T) {
	w := newWorld(defaults)
	all := w.add(60, "shop")
	w.atOnce()
	w.pass(time.Minute)
	died := w.now
	kill(all[:30])
	w.pass(40 * time.Second)
	needWithdrawn(t, all[:30], died, threshold+evidenceDelay)
	needReady(t, all[30:])
}

// TestTargetsThatNeverAnsweredAreNoEvidence has objects that one tenant creates to freeze
// or delay the readiness of another.
func TestTargetsThatNeverAnsweredAreNoEvidence(t *testing.T) {
	for name, attack := range map[string]func(w *world){
		"130 that never answered": func(w *world) {
			w.add(130, "attacker", func(m *machine) { m.unproven = true })
		},
		"130 that never answered, with quick probes": func(w *world) {
			w.add(130, "attacker", every(time.Second), func(m *machine) { m.unproven = true })
		},
		"100 that are probed once a day": func(w *world) {
			w.add(100, "attacker", every(24*time.Hour))
		},
		"100 that are probed once a day and died": func(w *world) {
			kill(w.add(100, "attacker", every(24*time.Hour)))
		},
		"100 that hang for half a minute": func(w *world) {
			kill(w.add(100, "attacker", every(24*time.Hour), func(m *machine) { m.timeout = 30 * time.Second }))
		},
		"1000 that flap continuously": func(w *world) {
			for _, m := range w.add(1000, "attacker", every(time.Second), func(m *machine) { m.threshold = 1 }) {
				m.dead = func(now time.Time) bool { return now.Second()%4 < 2 }
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(defaults)
			healthy := w.healthyNamespaces(2)
			victims := w.add(3, "victim")
			attack(w)
			w.atOnce()
			w.pass(2 * time.Minute)
			kill(victims)
			died := w.now
			w.pass(40 * time.Second)
			needWithdrawn(t, victims, died, threshold+evidenceDelay)
			needReady(t, healthy)
			if w.began != 0 {
				t.Errorf("%d holds began", w.began)
			}
		})
	}
}

func TestSingleDeathWaitsForNobody(t *testing.T) {
	w := newWorld(defaults)
	w.healthyNamespaces(10)
	w.add(9, "shop")
	victim := w.add(1, "shop")
	w.atOnce()
	w.pass(time.Minute)
	died := w.now
	kill(victim)
	w.pass(40 * time.Second)
	needWithdrawn(t, victim, died, threshold)
	for _, m := range w.machines {
		if m.probesEarly > 0 {
			t.Errorf("%s was probed early, although all have results since the failures began", m.key)
		}
	}
}

func TestTwoMachinesAreNeverHeld(t *testing.T) {
	w := newWorld(defaults)
	two := w.add(2, "shop")
	w.atOnce()
	w.pass(time.Minute)
	died := w.now
	w.cutOff = true
	w.pass(40 * time.Second)
	needWithdrawn(t, two, died, threshold)
}

func TestCutOffProberHoldsUpToItsMaximum(t *testing.T) {
	for name, test := range map[string]struct {
		maximum time.Duration
		ready   time.Duration // nothing is withdrawn before
		expires bool
	}{
		"ten minutes by default": {maximum: DefaultMaximum, ready: 10*time.Minute + 15*time.Second, expires: true},
		"the configured maximum": {maximum: time.Hour, ready: time.Hour + 15*time.Second, expires: true},
		"without end":            {maximum: Unlimited, ready: 90 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(Policy{Minimum: DefaultMinimum, Maximum: test.maximum})
			all := append(w.healthyNamespaces(10), w.add(20, "shop")...)
			w.atOnce()
			w.pass(time.Minute)
			w.cutOff = true
			w.pass(test.ready)
			needReady(t, all)
			w.pass(30 * time.Second)
			if count, _ := withdrawn(all); (count == len(all)) != test.expires {
				t.Errorf("%d of %d machines were withdrawn", count, len(all))
			}
			if (w.expired == 1) != test.expires || w.began != 1 {
				t.Errorf("%d holds began, %d ended by their maximum", w.began, w.expired)
			}
		})
	}
}

func TestNoHoldWhenDisabled(t *testing.T) {
	w := newWorld(Policy{Minimum: DefaultMinimum})
	all := append(w.healthyNamespaces(10), w.add(20, "shop")...)
	w.atOnce()
	w.pass(time.Minute)
	w.cutOff = true
	cut := w.now
	w.pass(time.Minute)
	needWithdrawn(t, all, cut, threshold+evidenceDelay)
}

// TestFlippingCannotHoldForEver has a tenant that owns most of the namespaces and makes
// them fail together repeatedly.
func TestFlippingCannotHoldForEver(t *testing.T) {
	w := newWorld(defaults)
	for i := range 10 {
		for _, m := range w.add(3, fmt.Sprintf("attacker-%d", i)) {
			m.dead = func(now time.Time) bool { return now.Sub(start)%(4*time.Minute) > time.Minute }
		}
	}
	w.healthyNamespaces(5)
	w.atOnce()
	held := time.Duration(0)
	for end := w.now.Add(6 * time.Hour); w.now.Before(end); {
		w.pass(time.Second)
		if w.evaluator.Active() {
			held += time.Second
		}
	}
	if limit := 6*time.Hour/7 + DefaultMaximum; held > limit {
		t.Errorf("readiness was held for %s of six hours, want at most %s", held, limit)
	}
	if held < DefaultMaximum/2 {
		t.Errorf("readiness was held for %s: the attack has no effect", held)
	}
}

func TestCutOffSinceTheStartIsHeld(t *testing.T) {
	w := newWorld(defaults)
	all := append(w.add(30, "shop"), w.healthyNamespaces(10)...)
	w.cutOff = true
	w.pass(10 * time.Minute)
	needReady(t, all)
	w.pass(time.Minute)
	if count, _ := withdrawn(all); count != len(all) {
		t.Errorf("%d of %d machines were withdrawn after the maximum", count, len(all))
	}
}

func TestWhatIsDeadAfterTheHoldIsWithdrawn(t *testing.T) {
	w := newWorld(defaults)
	all := append(w.healthyNamespaces(10), w.add(20, "shop")...)
	w.atOnce()
	w.pass(time.Minute)
	kill(all[:1])
	w.cutOff = true
	w.pass(5 * time.Minute)
	w.cutOff = false
	back := w.now
	w.pass(time.Minute)
	needWithdrawn(t, all[:1], back, threshold+20*time.Second)
	needReady(t, all[1:])
}

func TestUnprovenIsNeverHeld(t *testing.T) {
	w := newWorld(defaults)
	w.add(30, "shop")
	w.atOnce()
	w.pass(time.Minute)
	w.cutOff = true
	w.pass(5 * time.Minute)
	if !w.evaluator.Active() {
		t.Fatal("nothing is held")
	}
	moved := w.add(1, "shop")[0]
	decision := w.evaluator.Evaluate(w.now, []Candidate{{Key: moved.key, FailingSince: w.now, Reached: w.now, Unproven: true}})
	if len(decision.Withdraw) != 1 {
		t.Errorf("a target that never passed a probe is not withdrawn: %+v", decision)
	}
}

func TestForgottenTargetIsNoEvidence(t *testing.T) {
	w := newWorld(defaults)
	w.add(30, "shop")
	w.atOnce()
	for _, m := range w.machines {
		w.evaluator.Forget(m.key)
		w.evaluator.Forget(m.key)
	}
	if decision := w.evaluator.Evaluate(w.now, nil); decision.Namespaces != 0 || decision.Targets != 0 {
		t.Errorf("there is still evidence: %+v", decision)
	}
}

// TestSampleIsBoundedAndRotated causes early probes several times where every period is a
// day.
func TestSampleIsBoundedAndRotated(t *testing.T) {
	w := newWorld(defaults)
	for i := range 200 {
		w.add(5, fmt.Sprintf("ns-%d", i), every(24*time.Hour))
	}
	flipping := w.add(1, "flipping", every(time.Second), func(m *machine) { m.threshold = 1 })[0]
	flipping.dead = func(now time.Time) bool { return now.Second()%6 < 3 }
	w.atOnce()
	const minutes = 5
	w.pass(minutes * time.Minute)
	total, most, least := 0, 0, int(time.Hour)
	for _, m := range w.machines[:1000] {
		total += m.probesEarly
		most, least = max(most, m.probesEarly), min(least, m.probesEarly)
	}
	if rounds := minutes * 60 * 2; total > rounds*sampleSize {
		t.Errorf("%d early probes in %d minutes", total, minutes)
	}
	if least == 0 || most > 2*least+2 {
		t.Errorf("between %d and %d early probes of each; want them rotated", least, most)
	}
}

func TestEvaluationOfTenThousandAllocatesLittle(t *testing.T) {
	w := newWorld(defaults)
	for i := range 100 {
		w.add(100, fmt.Sprintf("ns-%d", i))
	}
	w.atOnce()
	now := w.now
	for i, m := range w.machines {
		if i%3 == 0 {
			w.evaluator.Observe(now.Add(time.Second), m.key, false, m.decidedAfter())
		}
	}
	candidate := []Candidate{{Key: w.machines[0].key, FailingSince: now.Add(time.Second), Reached: now.Add(20 * time.Second)}}
	w.evaluator.Evaluate(now.Add(20*time.Second), candidate)
	if allocations := testing.AllocsPerRun(20, func() { w.evaluator.Evaluate(now.Add(20*time.Second), candidate) }); allocations > 20 {
		t.Errorf("an evaluation allocates %v times", allocations)
	}
}

func BenchmarkEvaluate(b *testing.B) {
	w := newWorld(defaults)
	for i := range 100 {
		w.add(100, fmt.Sprintf("ns-%d", i))
	}
	w.atOnce()
	candidate := []Candidate{{Key: w.machines[0].key, FailingSince: w.now.Add(-time.Second), Reached: w.now}}
	for b.Loop() {
		w.evaluator.Evaluate(w.now, candidate)
	}
}
