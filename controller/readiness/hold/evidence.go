package hold

import (
	"slices"
	"time"

	"k8s.io/client-go/tools/cache"
)

const (
	// window is the maximum age of a success that counts, and how long a failure counts
	// after the target could have been withdrawn for it.
	window = time.Minute

	// longestFailure is how long a failure counts at most: a target that fails for
	// longer without being withdrawn has thresholds that its author chose.
	longestFailure = 10 * time.Minute

	// answerTimeout is how long an early probe may take before its target counts as
	// failing. It limits the effect of tenants' own timeouts.
	answerTimeout = time.Second
)

// target is the evidence of one probed address.
type target struct {
	key cache.ObjectName
	// index is its position in its namespace; -1 before its first success.
	index int
	// succeeded is when a probe last succeeded, and probed when the last one ended.
	succeeded, probed time.Time
	// failingSince is when the first failure since then ended; zero if the last probe
	// succeeded.
	failingSince time.Time
	// counts is how long after failingSince the failures are evidence.
	counts time.Duration
	// asked is when an early probe was requested; zero after it has ended.
	asked time.Time
}

// namespace is the evidence of one namespace, and its vote.
type namespace struct {
	name string
	// targets are those that have succeeded once.
	targets []*target
	// next is where the next sample starts.
	next int

	// count sets the rest. failing and pending are the numbers of targets that fail, or
	// that were asked and may still answer in time.
	failing, pending int
	// evidence is the number of targets that are neither failing for long nor unproven.
	evidence int
	// succeedsSince is the latest time since which at least as many targets have
	// succeeded as fail, and at least one; zero if there is none.
	succeedsSince time.Time
}

// evidence is the results of this process's probes in one address family.
type evidence struct {
	targets map[cache.ObjectName]*target
	// namespaces are those with at least one target that has succeeded.
	namespaces map[string]*namespace
	order      []*namespace
	// unproven is the number of targets that have failed and never succeeded.
	unproven int

	// successes is reused by count.
	successes []time.Time
}

// observe records the end of a probe. decidedAfter is the time in which failures of the
// target reach its threshold.
func (e *evidence) observe(now time.Time, key cache.ObjectName, success bool, decidedAfter time.Duration) {
	known := e.targets[key]
	if known == nil {
		known = &target{key: key, index: -1}
		e.targets[key] = known
		e.unproven++
	}
	known.probed, known.asked = now, time.Time{}
	known.counts = min(decidedAfter, longestFailure-window) + window
	if success {
		known.succeeded, known.failingSince = now, time.Time{}
		e.prove(known)
		return
	}
	if known.failingSince.IsZero() {
		known.failingSince = now
	}
}

// prove adds a target that has succeeded to the evidence of its namespace.
func (e *evidence) prove(known *target) {
	if known.index >= 0 {
		return
	}
	e.unproven--
	of := e.namespaces[known.key.Namespace]
	if of == nil {
		of = &namespace{name: known.key.Namespace}
		e.namespaces[of.name] = of
		e.order = append(e.order, of)
	}
	known.index = len(of.targets)
	of.targets = append(of.targets, known)
}

// forget removes all evidence of a target.
func (e *evidence) forget(key cache.ObjectName) {
	known := e.targets[key]
	if known == nil {
		return
	}
	delete(e.targets, key)
	if known.index < 0 {
		e.unproven--
		return
	}
	of := e.namespaces[key.Namespace]
	last := len(of.targets) - 1
	of.targets[known.index] = of.targets[last]
	of.targets[known.index].index = known.index
	of.targets[last] = nil
	of.targets = of.targets[:last]
	if last == 0 {
		delete(e.namespaces, of.name)
		e.order = slices.DeleteFunc(e.order, func(other *namespace) bool { return other == of })
	}
}

// fails reports whether the target's failures count at the time reference: they began
// no longer before it than a withdrawal takes.
func (t *target) fails(now, reference time.Time) bool {
	if !t.failingSince.IsZero() {
		return reference.Sub(t.failingSince) <= t.counts
	}
	asked := now.Sub(t.asked)
	return !t.asked.IsZero() && asked >= answerTimeout && asked < window
}

// pending reports whether the target was asked and may still answer in time.
func (t *target) pending(now time.Time) bool {
	return !t.asked.IsZero() && now.Sub(t.asked) < answerTimeout
}

// count counts the evidence of a namespace.
func (e *evidence) count(of *namespace, now, reference time.Time) {
	of.failing, of.pending, of.evidence, of.succeedsSince = 0, 0, 0, time.Time{}
	latest := time.Time{}
	for _, known := range of.targets {
		switch {
		case known.fails(now, reference):
			of.failing++
		case known.failingSince.IsZero():
			if known.succeeded.After(latest) {
				latest = known.succeeded
			}
		default:
			continue
		}
		of.evidence++
		if known.pending(now) {
			of.pending++
		}
	}
	switch succeeding := of.evidence - of.failing; {
	case of.failing == 0:
		of.succeedsSince = latest
	case succeeding >= of.failing:
		of.succeedsSince = e.successAt(of, now, reference, of.failing-1)
	}
}

// successAt returns when the targets of a namespace that do not fail last
// succeeded: the latest of these times but n.
func (e *evidence) successAt(of *namespace, now, reference time.Time, n int) time.Time {
	e.successes = e.successes[:0]
	for _, known := range of.targets {
		if known.failingSince.IsZero() && !known.fails(now, reference) {
			e.successes = append(e.successes, known.succeeded)
		}
	}
	slices.SortFunc(e.successes, func(a, b time.Time) int { return b.Compare(a) })
	return e.successes[n]
}
