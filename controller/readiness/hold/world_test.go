package hold

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"k8s.io/client-go/tools/cache"
)

// machine is one probed workload of the simulation.
type machine struct {
	key                     cache.ObjectName
	period, timeout         time.Duration
	threshold               int
	unproven                bool
	dead                    func(now time.Time) bool
	next                    time.Time
	failures                int
	failingSince, reached   time.Time
	held                    bool
	withdrawn               time.Time
	thresholdAt             time.Time // when reached was last set
	probes, probesEarly     int
	answersAt, earlyAnswers time.Time
}

// world probes machines in virtual time, as the controller does.
type world struct {
	now       time.Time
	evaluator *Evaluator
	machines  []*machine
	byKey     map[cache.ObjectName]*machine
	cutOff    bool

	began, ended, expired int
	firstHeld             time.Time
}

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newWorld(policy Policy) *world {
	return &world{now: start, evaluator: New(policy), byKey: map[cache.ObjectName]*machine{}}
}

var defaults = Policy{Minimum: DefaultMinimum, Maximum: DefaultMaximum}

// add adds n machines to a namespace and applies change to each.
func (w *world) add(n int, namespace string, changes ...func(*machine)) []*machine {
	draw := rand.New(rand.NewPCG(uint64(len(w.machines)), 7))
	var added []*machine
	for i := range n {
		m := &machine{
			key: cache.NewObjectName(namespace, fmt.Sprintf("vm-%d-%d", len(w.machines), i)), period: 10 * time.Second,
			timeout: time.Second, threshold: 3,
		}
		for _, change := range changes {
			change(m)
		}
		m.next = w.now.Add(time.Duration(draw.Int64N(int64(m.period))))
		w.byKey[m.key] = m
		added = append(added, m)
	}
	w.machines = append(w.machines, added...)
	return added
}

func every(period time.Duration) func(*machine) { return func(m *machine) { m.period = period } }

func (m *machine) die() { m.dead = func(time.Time) bool { return true } }

func kill(machines []*machine) {
	for _, m := range machines {
		m.die()
	}
}

// atOnce runs the first probes of all machines now.
func (w *world) atOnce() {
	for _, m := range w.machines {
		if !m.unproven {
			w.evaluator.Observe(w.now, m.key, true, m.decidedAfter())
		}
	}
}

func (m *machine) decidedAfter() time.Duration { return m.period * time.Duration(m.threshold) }

func (w *world) silent(m *machine) bool {
	return w.cutOff || m.unproven || m.dead != nil && m.dead(w.now)
}

const tick = 100 * time.Millisecond

// pass lets time pass.
func (w *world) pass(d time.Duration) {
	for end := w.now.Add(d); w.now.Before(end); w.now = w.now.Add(tick) {
		for _, m := range w.machines {
			w.probe(m)
		}
		w.evaluate()
	}
}

// probe starts and ends the probes of one machine that are due.
func (w *world) probe(m *machine) {
	if !m.earlyAnswers.IsZero() && !m.earlyAnswers.After(w.now) {
		m.earlyAnswers = time.Time{}
		w.evaluator.Observe(w.now, m.key, !w.silent(m), m.decidedAfter())
	}
	if !m.answersAt.IsZero() && !m.answersAt.After(w.now) {
		m.answersAt = time.Time{}
		w.end(m)
	}
	if !m.next.After(w.now) {
		m.next = m.next.Add(m.period)
		m.probes++
		if w.silent(m) {
			m.answersAt = w.now.Add(m.timeout)
		} else {
			w.end(m)
		}
	}
}

func (w *world) end(m *machine) {
	silent := w.silent(m)
	w.evaluator.Observe(w.now, m.key, !silent, m.decidedAfter())
	if !silent {
		m.failures, m.failingSince, m.reached, m.held, m.withdrawn = 0, time.Time{}, time.Time{}, false, time.Time{}
		return
	}
	if m.failures == 0 {
		m.failingSince = w.now
	}
	if m.failures++; m.failures == m.threshold && m.withdrawn.IsZero() && !m.unproven {
		m.reached, m.thresholdAt = w.now, w.now
	}
}

func (w *world) evaluate() {
	var candidates []Candidate
	for _, m := range w.machines {
		if !m.reached.IsZero() {
			candidates = append(candidates, Candidate{Key: m.key, FailingSince: m.failingSince, Reached: m.reached, Held: m.held})
		}
	}
	if w.evaluator.Active() && w.now.Nanosecond() != 0 || !w.evaluator.Active() && len(candidates) == 0 {
		return // like the controller, which evaluates once a second during a hold
	}
	decision := w.evaluator.Evaluate(w.now, candidates)
	if decision.Began {
		w.began++
		if w.firstHeld.IsZero() {
			w.firstHeld = w.now
		}
	}
	if decision.Ended {
		w.ended++
	}
	if decision.Expired {
		w.expired++
	}
	for _, key := range decision.Withdraw {
		m := w.byKey[key]
		m.withdrawn, m.reached, m.held = w.now, time.Time{}, false
	}
	for _, key := range decision.Hold {
		w.byKey[key].held = true
	}
	for _, key := range decision.Release {
		m := w.byKey[key]
		m.failures, m.failingSince, m.reached, m.held = 0, time.Time{}, time.Time{}, false
	}
	for _, key := range decision.Sample {
		m := w.byKey[key]
		m.probesEarly++
		m.earlyAnswers = w.now.Add(tick / 10)
		if w.silent(m) {
			m.earlyAnswers = w.now.Add(m.timeout)
		}
	}
}

// withdrawn returns how many machines are not ready, and when the last of them was withdrawn.
func withdrawn(machines []*machine) (count int, last time.Time) {
	for _, m := range machines {
		if !m.withdrawn.IsZero() {
			count++
			last = later(last, m.withdrawn)
		}
	}
	return count, last
}

// needWithdrawn fails the test unless all machines were withdrawn within a time after
// since.
func needWithdrawn(t *testing.T, machines []*machine, since time.Time, within time.Duration) {
	t.Helper()
	count, last := withdrawn(machines)
	if count != len(machines) || last.Sub(since) > within {
		t.Errorf("%d of %d machines were withdrawn, the last after %s, want all within %s", count, len(machines), last.Sub(since), within)
	}
}

func needReady(t *testing.T, machines []*machine) {
	t.Helper()
	if count, _ := withdrawn(machines); count != 0 {
		first := slices.MinFunc(machines, func(a, b *machine) int { return cmp.Compare(b.withdrawn.Unix(), a.withdrawn.Unix()) })
		t.Errorf("%d of %d machines were withdrawn, want none; one of them is %s", count, len(machines), first.key)
	}
}
