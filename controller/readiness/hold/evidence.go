package hold

import (
	"slices"
	"time"

	"k8s.io/client-go/tools/cache"
)

const (
	// window is how old a success may be to count, and how long a failure
	// counts after the target could have been withdrawn for it.
	window = time.Minute

	// longestFailure is how long a failure counts at most: a target that fails
	// for longer while it is not withdrawn has thresholds of its author's choice.
	longestFailure = 10 * time.Minute

	// answerTimeout is how long an early probe may take before its target
	// counts as failing. It bounds what tenants' own timeouts can do.
	answerTimeout = time.Second
)

// target is what is known of one probed address.
type target struct {
	key cache.ObjectName
	// index is its place in its namespace; -1 before it has first succeeded.
	index int
	// succeeded and probed are when a probe last succeeded, and last ended.
	succeeded, probed time.Time
	// failingSince is when the first failure since then ended; zero while the
	// last probe succeeded.
	failingSince time.Time
	// counts is how long after failingSince the failures are evidence.
	counts time.Duration
	// asked is when an early probe was asked for; zero when it has ended.
	asked time.Time
}

// namespace is the evidence of one namespace, and its vote.
type namespace struct {
	name string
	// targets are those that have succeeded once.
	targets []*target
	// next is where the next sample begins.
	next int

	// The rest is set by count. failing and pending are how many targets fail,
	// or were asked and may still answer.
	failing, pending int
	// evidence is how many targets are neither failing for long nor unproven.
	evidence int
	// succeedsSince is the latest time since which at least as many targets have
	// succeeded as fail, and one; zero if there is none.
	succeedsSince time.Time
}

// evidence is what probes of this process have found, of one address family.
type evidence struct {
	targets map[cache.ObjectName]*target
	// namespaces are those with at least one target that has succeeded.
	namespaces map[string]*namespace
	order      []*namespace
	// unproven is how many targets have failed and never succeeded.
	unproven int

	// successes is reused by count.
	successes []time.Time
}

// observe records the end of a probe. decidedAfter is how long the failures of
// the target take to reach its threshold.
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

// prove makes a target that has succeeded evidence of its namespace.
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

// forget drops all evidence of a target.
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

// fails reports whether the target fails in a way that counts at the time
// reference: its failures began no longer before than is needed to withdraw it.
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
