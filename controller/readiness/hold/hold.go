// Package hold decides whether workloads whose probes fail may be turned not
// ready, or whether the prober itself is the suspect.
//
// One machine that fails is the machine's trouble. When most of them fail
// together, it is more likely that the prober is cut off; to withdraw them all
// would turn a broken observer into an outage. Then the last state is held.
//
// The package is pure: it is given what is known of each workload and the
// time, and returns a decision.
package hold

import (
	"slices"
	"time"
)

// The defaults of a Policy, and the bounds of its fraction.
const (
	DefaultFraction = 0.55
	DefaultMinimum  = 3
	DefaultWindow   = time.Minute

	// MinFraction and MaxFraction bound Fraction. At MaxFraction all must fail.
	MinFraction = 0.01
	MaxFraction = 1.0
)

// Policy says when the prober is the suspect.
type Policy struct {
	// Fraction is the part of the ready workloads that must fail together.
	Fraction float64
	// Minimum is how many must fail at least.
	Minimum int
	// Window is how long a workload that was withdrawn still counts as failed,
	// and how long at most a verdict waits for news of the others.
	Window time.Duration
	// Maximum is how long a hold lasts at most; 0 for no limit.
	Maximum time.Duration
}

// Target is what is known of one probed workload.
type Target struct {
	// Ready is the state that stands, whatever the last probes said.
	Ready bool
	// Failing is whether the last probe failed.
	Failing bool
	// Probed is when the last probe ended; zero before the first.
	Probed time.Time
	// Withdrawn is when failing probes last turned it not ready; zero if never.
	Withdrawn time.Time
}

// Candidate is a workload whose failures have reached its threshold.
type Candidate struct {
	// FailingSince is when the first of its failures in a row ended.
	FailingSince time.Time
	// Reached is when its threshold was reached.
	Reached time.Time
}

// Census is what counts of all targets, at one time.
type Census struct {
	// Total is how many are ready, or were withdrawn within the window.
	Total int
	// Failing is how many of these fail, or were withdrawn.
	Failing int
	// healthy are the times of the last probes of the others, in order.
	healthy []time.Time
}

// Count takes the census.
func (p Policy) Count(now time.Time, targets []Target) Census {
	census := Census{healthy: make([]time.Time, 0, len(targets))}
	for _, target := range targets {
		switch {
		case target.Ready && !target.Failing:
			census.Total++
			census.healthy = append(census.healthy, target.Probed)
		case target.Ready, !target.Withdrawn.IsZero() && now.Sub(target.Withdrawn) < p.Window:
			census.Total++
			census.Failing++
		}
	}
	slices.SortFunc(census.healthy, time.Time.Compare)
	return census
}

// Suspect is whether so many of total failing at once points to the prober.
func (p Policy) Suspect(failing, total int) bool {
	return total > 0 && failing >= p.Minimum && float64(failing)/float64(total) >= p.Fraction
}

// State is whether verdicts are held. The zero State holds nothing.
type State struct {
	// Since is when the hold began; zero while there is none.
	Since time.Time
	// Expired is whether it has outlasted the policy's maximum. Then workloads
	// are withdrawn, and no new hold begins before most have been seen healthy.
	Expired bool
}

// Active is whether verdicts are held.
func (s State) Active() bool { return !s.Since.IsZero() && !s.Expired }

// Next is the state after a census. A hold begins only when candidates is
// true: while some workload would be withdrawn.
func (p Policy) Next(now time.Time, state State, census Census, candidates bool) State {
	suspect := p.Suspect(census.Failing, census.Total)
	switch {
	case !suspect:
		return State{}
	case state.Since.IsZero() && candidates:
		return State{Since: now}
	case state.Active() && p.Maximum > 0 && now.Sub(state.Since) >= p.Maximum:
		return State{Since: state.Since, Expired: true}
	default:
		return state
	}
}

// Withdraw is whether the candidate may be turned not ready although no hold
// is active. It may not while the others have not been probed since it began
// to fail and could tip the scales, for at most the window.
func (p Policy) Withdraw(now time.Time, census Census, candidate Candidate) bool {
	if now.Sub(candidate.Reached) >= p.Window {
		return true
	}
	unknown, _ := slices.BinarySearchFunc(census.healthy, candidate.FailingSince, time.Time.Compare)
	return !p.Suspect(census.Failing+unknown, census.Total)
}
