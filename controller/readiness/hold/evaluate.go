package hold

import (
	"math"
	"time"

	"k8s.io/client-go/tools/cache"
)

const (
	// DefaultMinimum is how many targets must fail: fewer cannot tell.
	DefaultMinimum = 3
	// DefaultMaximum is how long readiness is held.
	DefaultMaximum = 10 * time.Minute
	// Unlimited is a Maximum without end.
	Unlimited = time.Duration(math.MaxInt64)

	// evidenceTimeout is how long a decision waits for evidence at most. It
	// covers the pause between two samples and the time to answer one.
	evidenceTimeout = sampleInterval + answerTimeout + 100*time.Millisecond

	// recovery is how much longer than a hold it takes until as much time is
	// available for the next one.
	recovery = 6
)

// Policy says when readiness is held.
type Policy struct {
	// Minimum is how many targets must fail at least.
	Minimum int
	// Maximum is how long all holds together last at most; Unlimited for no
	// limit, and 0 for no hold at all. Time that was used becomes available
	// again in six times as long, and a hold begins only when half is available.
	Maximum time.Duration
}

// Candidate is a target that is withdrawn unless it is held: its failures have
// reached its threshold.
type Candidate struct {
	Key cache.ObjectName
	// FailingSince is when the first of its failures in a row ended.
	FailingSince time.Time
	// Reached is when they reached the threshold.
	Reached time.Time
	// Held is whether the last decision held it.
	Held bool
	// Unproven is whether it has never passed a probe, so that it is never held.
	Unproven bool
}

// Decision is what becomes of all candidates. Each is in one of the first three
// lists or waits for evidence.
type Decision struct {
	// Withdraw are to be turned not ready.
	Withdraw []cache.ObjectName
	// Hold stay ready although their probes fail.
	Hold []cache.ObjectName
	// Release were held while the prober was the suspect, and it no longer is:
	// the failures that it found are void.
	Release []cache.ObjectName
	// Waiting is how many wait for evidence. Evaluate is to be called again soon.
	Waiting int
	// Sample are to be probed at once, wherever their periods stand.
	Sample []cache.ObjectName

	// Began and Ended tell that a hold did. Expired is whether the one that
	// ended has used up the time for holds.
	Began, Ended, Expired bool
	// FailingNamespaces, Namespaces, FailingTargets and Targets are how much
	// evidence there is, and how much of it fails.
	FailingNamespaces, Namespaces, FailingTargets, Targets int
}

// Evaluator decides by the evidence that it is told. It is not safe for
// concurrent use.
type Evaluator struct {
	policy   Policy
	evidence evidence
	votes    votes
	// sampled is when a sample was last taken, and sampledSince the time since
	// which every target has a result or was in a sample, as far as one reaches.
	sampled, sampledSince time.Time

	// began is when the present hold began; zero while there is none.
	began time.Time
	// used is how much of the maximum was used up at the time usedAt.
	used   time.Duration
	usedAt time.Time
}

// New makes an Evaluator without evidence.
func New(policy Policy) *Evaluator {
	return &Evaluator{policy: policy, evidence: evidence{targets: map[cache.ObjectName]*target{}, namespaces: map[string]*namespace{}}}
}

// Active reports whether readiness is held.
func (e *Evaluator) Active() bool { return !e.began.IsZero() }

// Observe tells of a probe that ended now, early or not. decidedAfter is the
// time in which failures of the target reach its threshold.
func (e *Evaluator) Observe(now time.Time, key cache.ObjectName, success bool, decidedAfter time.Duration) {
	e.evidence.observe(now, key, success, decidedAfter)
}

// Forget tells that a target is gone, or has become another one.
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

// sinceOf returns the time since which results count for a candidate. It stays
// until the candidate is held, so that a sample can cover it.
func sinceOf(candidate Candidate, now time.Time) time.Time {
	if candidate.Held {
		return later(candidate.FailingSince, now.Add(-window))
	}
	return later(candidate.FailingSince, candidate.Reached.Add(-window))
}

// outcome is what the evidence says about one candidate.
type outcome int

const (
	// waits: more evidence is needed.
	waits outcome = iota
	// releases: the prober is not the suspect.
	releases
	// suspects: it is.
	suspects
)

// decide weighs the evidence since a time about one candidate.
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

// tooFew reports whether there are so few targets that no failures could be enough.
func (e *Evaluator) tooFew() bool {
	return max(e.votes.targets, e.failing()) < e.policy.Minimum
}

// enoughFail reports whether enough targets fail.
func (e *Evaluator) enoughFail() bool { return e.failing() >= e.policy.Minimum }

// failing returns how many targets fail. A process whose probes nobody has answered
// yet cannot tell itself from one that is cut off: there, those that never
// answered count.
func (e *Evaluator) failing() int {
	if e.votes.targets == 0 {
		return e.evidence.unproven
	}
	return e.votes.failingTargets
}

// countFailingNamespaces returns how many namespaces fail by results of the window.
func (e *Evaluator) countFailingNamespaces(now time.Time) int {
	return before(e.votes.failing, now.Add(-window))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
