package hold

import (
	"testing"
	"time"
)

var (
	policy = Policy{Fraction: DefaultFraction, Minimum: DefaultMinimum, Window: DefaultWindow}
	now    = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

// ago is so many seconds before now.
func ago(seconds int) time.Time { return now.Add(-time.Duration(seconds) * time.Second) }

// many makes n targets that are alike.
func many(n int, target Target) []Target {
	targets := make([]Target, n)
	for i := range targets {
		targets[i] = target
	}
	return targets
}

var (
	healthy   = Target{Ready: true, Probed: ago(1)}
	unheard   = Target{Ready: true}
	failing   = Target{Ready: true, Failing: true, Probed: ago(1)}
	notReady  = Target{Failing: true, Probed: ago(1)}
	justGone  = Target{Failing: true, Probed: ago(1), Withdrawn: ago(30)}
	longGone  = Target{Failing: true, Probed: ago(1), Withdrawn: ago(61)}
	candidate = Candidate{FailingSince: ago(20), Reached: now}
)

func concat(parts ...[]Target) (all []Target) {
	for _, part := range parts {
		all = append(all, part...)
	}
	return all
}

func TestOneVerdict(t *testing.T) {
	const withdraw, wait, held = "withdraw", "wait", "hold"
	for name, test := range map[string]struct {
		targets   []Target
		candidate Candidate
		want      string
	}{
		"one of many fails":       {targets: concat(many(9, healthy), many(1, failing)), want: withdraw},
		"just below the fraction": {targets: concat(many(46, healthy), many(54, failing)), want: withdraw},
		"exactly the fraction":    {targets: concat(many(45, healthy), many(55, failing)), want: held},
		"all":                     {targets: many(10, failing), want: held},
		"three are enough":        {targets: many(3, failing), want: held},
		"two are too few":         {targets: many(2, failing), want: withdraw},
		"a zone of two dies beside one that lives":        {targets: concat(many(2, failing), many(1, healthy)), want: withdraw},
		"those that never were ready do not count":        {targets: concat(many(3, failing), many(7, healthy), many(50, notReady)), want: withdraw},
		"those withdrawn a moment ago count":              {targets: concat(many(3, justGone), many(3, failing), many(4, healthy)), want: held},
		"those withdrawn long ago do not":                 {targets: concat(many(3, longGone), many(3, failing), many(4, healthy)), want: withdraw},
		"nothing is heard of the others yet":              {targets: concat(many(1, failing), many(9, unheard)), want: wait},
		"too few are unheard of to matter":                {targets: concat(many(1, failing), many(5, healthy), many(4, unheard)), want: withdraw},
		"what is heard is older than the failures":        {targets: concat(many(1, failing), many(9, Target{Ready: true, Probed: ago(21)})), want: wait},
		"it has waited long enough":                       {targets: concat(many(1, failing), many(9, unheard)), candidate: Candidate{FailingSince: ago(80), Reached: ago(60)}, want: withdraw},
		"with one other, nothing can tip the scales":      {targets: concat(many(1, failing), many(1, unheard)), want: withdraw},
		"a single workload cannot be told from the probe": {targets: many(1, failing), want: withdraw},
	} {
		t.Run(name, func(t *testing.T) {
			if test.candidate == (Candidate{}) {
				test.candidate = candidate
			}
			census := policy.Count(now, test.targets)
			got := wait
			if policy.Next(now, State{}, census, true).Active() {
				got = held
			} else if policy.Withdraw(now, census, test.candidate) {
				got = withdraw
			}
			if got != test.want {
				t.Errorf("got %s, want %s (%d of %d fail)", got, test.want, census.Failing, census.Total)
			}
		})
	}
}

func TestNext(t *testing.T) {
	limited := policy
	limited.Maximum = time.Minute
	all, half := many(10, failing), concat(many(5, failing), many(5, healthy))
	for name, test := range map[string]struct {
		policy     Policy
		state      State
		targets    []Target
		candidates bool
		want       State
	}{
		"a hold begins when one would be withdrawn":       {policy: policy, targets: all, candidates: true, want: State{Since: now}},
		"it does not begin before that":                   {policy: policy, targets: all},
		"it goes on, also without candidates":             {policy: policy, state: State{Since: ago(9000)}, targets: all, want: State{Since: ago(9000)}},
		"it ends when enough succeed":                     {policy: policy, state: State{Since: ago(9)}, targets: half, candidates: true},
		"it ends when no workload is left":                {policy: policy, state: State{Since: ago(9)}},
		"it lasts up to its maximum":                      {policy: limited, state: State{Since: ago(59)}, targets: all, want: State{Since: ago(59)}},
		"it expires at its maximum":                       {policy: limited, state: State{Since: ago(60)}, targets: all, want: State{Since: ago(60), Expired: true}},
		"no other begins while it is the same failure":    {policy: limited, state: State{Since: ago(600), Expired: true}, targets: all, candidates: true, want: State{Since: ago(600), Expired: true}},
		"another may begin once most were healthy":        {policy: limited, state: State{Since: ago(600), Expired: true}, targets: half, candidates: true},
		"an expired hold is over when all were withdrawn": {policy: limited, state: State{Since: ago(600), Expired: true}, targets: many(10, longGone)},
	} {
		t.Run(name, func(t *testing.T) {
			got := test.policy.Next(now, test.state, test.policy.Count(now, test.targets), test.candidates)
			if got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}
