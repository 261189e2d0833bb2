package hold

import (
	"math"
	"time"

	"k8s.io/client-go/tools/cache"
)

const (
	// DefaultMinimum is the minimum number of failing targets; fewer are too few to
	// compare.
	DefaultMinimum = 3
	// DefaultMaximum is the maximum duration of holds.
	DefaultMaximum = 10 * time.Minute
	// Unlimited is a Maximum without limit.
	Unlimited = time.Duration(math.MaxInt64)

	// evidenceTimeout is how long a decision waits for evidence at most. It covers the
	// interval between two samples and the time to answer one.
	evidenceTimeout = sampleInterval + answerTimeout + 100*time.Millisecond

	// recovery is the ratio of the time in which used time becomes available again to
	// the used time.
	recovery = 6
)

// Policy has the settings of the hold.
type Policy struct {
	// Minimum is the minimum number of failing targets.
	Minimum int
	// Maximum is the maximum duration of all holds together; Unlimited for no limit,
	// and 0 for no hold. Used time becomes available again in six times as long, and a
	// hold begins only when half of it is available.
	Maximum time.Duration
}

// Candidate is a target whose failures have reached its threshold. It is withdrawn
// unless it is held.
type Candidate struct {
	Key cache.ObjectName
	// FailingSince is when the first of its consecutive failures ended.
	FailingSince time.Time
	// Reached is when they reached the threshold.
	Reached time.Time
	// Held is true if the last decision held it.
	Held bool
	// Unproven is true if it has never passed a probe. It is then never held.
	Unproven bool
}

// Decision is the decision about all candidates. Each is in one of the first three
// lists or waits for evidence.
type Decision struct {
	// Withdraw become not ready.
	Withdraw []cache.ObjectName
	// Hold stay ready although their probes fail.
	Hold []cache.ObjectName
	// Release were held while the prober may have been cut off, which is over: their
	// failures during the hold do not count.
	Release []cache.ObjectName
	// Waiting is the number of candidates that wait for evidence. Evaluate must be
	// called again soon.
	Waiting int
	// Sample are targets to probe at once, whatever their periods.
	Sample []cache.ObjectName

	// Began and Ended report that a hold did. Expired is true if the ended hold has
	// used up the time for holds.
	Began, Ended, Expired bool
	// FailingNamespaces, Namespaces, FailingTargets and Targets count the evidence, and
	// how much of it fails.
	FailingNamespaces, Namespaces, FailingTargets, Targets int
}

// Evaluator collects evidence and decides. It is not safe for concurrent use.
type Evaluator struct {
	policy   Policy
	evidence evidence
	votes    votes
	// sampled is when a sample was last taken; sampledSince is the time since which
	// every target has a result or was in a sample.
	sampled, sampledSince time.Time

	// began is when the current hold began; zero if there is none.
	began time.Time
	// used is how much of the maximum was used at the time usedAt.
	used   time.Duration
	usedAt time.Time
}

// New returns an Evaluator without evidence.
func New(policy Policy) *Evaluator {
	return &Evaluator{policy: policy, evidence: evidence{targets: map[cache.ObjectName]*target{}, namespaces: map[string]*namespace{}}}
}

// Active reports whether readiness is held.
func (e *Evaluator) Active() bool { return !e.began.IsZero() }

// Observe records a probe that ended now, early or not. decidedAfter is the time in
// which failures of the target reach its threshold.
func (e *Evaluator) Observe(now time.Time, key cache.ObjectName, success bool, decidedAfter time.Duration) {
	e.evidence.observe(now, key, success, decidedAfter)
}

// Forget removes the evidence of a target that is deleted or has changed.
func (e *Evaluator) Forget(key cache.ObjectName) { e.evidence.forget(key) }

// Evaluate decides about all candidates.
func (e *Evaluator) Evaluate(now time.Time, candidates []Candidate) Decision {
	reference := now
	if e.Active() {
		reference = e.began
	}
	e.votes.take(&e.evidence, now, reference)
	e.account(now)
	mayHold := e.mayHold()

	decision := Decision{FailingTargets: e.votes.failingTargets, Namespaces: e.votes.namespaces, Targets: e.votes.targets}
	decision.FailingNamespaces = e.countFailingNamespaces(now)
	needed := time.Time{}
	for _, candidate := range candidates {
		since := sinceOf(candidate, now)
		switch outcome := e.decide(candidate, now, since); {
		case candidate.Unproven:
			decision.Withdraw = append(decision.Withdraw, candidate.Key)
		case outcome == waits && (!candidate.Held || !mayHold):
			decision.Waiting++
			needed = later(needed, since)
		case outcome != releases && mayHold:
			decision.Hold = append(decision.Hold, candidate.Key)
		case outcome == releases && candidate.Held:
			decision.Release = append(decision.Release, candidate.Key)
		default:
			decision.Withdraw = append(decision.Withdraw, candidate.Key)
		}
	}
	e.transit(now, mayHold, &decision)
	if e.Active() && now.Sub(e.sampled) >= holdSampleInterval {
		needed = later(needed, now.Add(-holdSampleInterval))
	}
	if !needed.IsZero() && now.Sub(e.sampled) >= sampleInterval {
		decision.Sample = e.evidence.sample(now, reference, needed)
		e.sampled, e.sampledSince = now, needed
	}
	return decision
}

// sinceOf returns the time since which results count for a candidate. It does not
// change until the candidate is held, so that a sample can cover it.
func sinceOf(candidate Candidate, now time.Time) time.Time {
	if candidate.Held {
		return later(candidate.FailingSince, now.Add(-window))
	}
	return later(candidate.FailingSince, candidate.Reached.Add(-window))
}

// outcome is the conclusion from the evidence for one candidate.
type outcome int

const (
	// waits: more evidence is needed.
	waits outcome = iota
	// releases: the prober is not cut off.
	releases
	// suspects: it may be cut off.
	suspects
)

// decide evaluates the evidence since a time for one candidate.
func (e *Evaluator) decide(candidate Candidate, now, since time.Time) outcome {
	own := e.evidence.namespaces[candidate.Key.Namespace]
	if own != nil && !own.succeedsSince.Before(since) {
		return releases
	}
	if e.tooFew() {
		return releases
	}
	others := e.votes.others(own, since)
	if 2*others.succeeding > others.namespaces {
		return releases
	}
	overdue := now.Sub(candidate.Reached) >= evidenceTimeout
	if !overdue {
		if e.sampledSince.Before(since) {
			return waits
		}
		if others.succeeding > others.failing+others.pending {
			return releases
		}
		if others.pending > 0 || own != nil && own.pending > 0 {
			return waits
		}
	}
	if others.succeeding > others.failing || !e.enoughFail() {
		return releases
	}
	return suspects
}

// tooFew reports whether there are too few targets for a hold, even if all fail.
func (e *Evaluator) tooFew() bool {
	return max(e.votes.targets, e.failing()) < e.policy.Minimum
}

// enoughFail reports whether enough targets fail.
func (e *Evaluator) enoughFail() bool { return e.failing() >= e.policy.Minimum }

// failing returns the number of failing targets. While no target has answered a probe
// of this process, targets that never answered count too, because the process may be
// cut off.
func (e *Evaluator) failing() int {
	if e.votes.targets == 0 {
		return e.evidence.unproven
	}
	return e.votes.failingTargets
}

// countFailingNamespaces returns the number of namespaces that fail by results of the
// window.
func (e *Evaluator) countFailingNamespaces(now time.Time) int {
	return before(e.votes.failing, now.Add(-window))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
