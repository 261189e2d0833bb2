package readiness

import (
	"testing"
	"time"

	"github.com/external-workload/controller/controller/readiness/probe"
)

// TestHealth plays results of probes, one letter each: s success, f failure,
// t timeout, r refused, e error of the prober, x the hold decision withdraws a target
// that has reached its threshold, a the probe was replaced.
func TestHealth(t *testing.T) {
	for name, test := range map[string]struct {
		ready              bool
		success, failure   int32
		results            string
		wantReady, decided bool
		candidate          bool
		message            string
	}{
		"nothing is decided before the first probe":       {success: 1, failure: 3},
		"a ready target stays ready before its probe":     {ready: true, success: 1, failure: 3, wantReady: true},
		"one success is enough by default":                {success: 1, failure: 3, results: "s", wantReady: true, decided: true},
		"a success below the threshold decides nothing":   {success: 3, failure: 3, results: "ss"},
		"successes up to the threshold":                   {success: 3, failure: 3, results: "sss", wantReady: true, decided: true},
		"a failure restarts the count of successes":       {success: 3, failure: 3, results: "ssfss"},
		"a ready target stays ready below the threshold":  {ready: true, success: 1, failure: 3, results: "ff", wantReady: true},
		"a target at the threshold is a candidate":        {ready: true, success: 1, failure: 3, results: "fff", wantReady: true, candidate: true},
		"a timeout is a failure":                          {ready: true, success: 1, failure: 1, results: "t", wantReady: true, candidate: true},
		"the decision withdraws it":                       {ready: true, success: 1, failure: 3, results: "fffx", decided: true, message: "refused connection"},
		"one success before the decision keeps it ready":  {ready: true, success: 1, failure: 3, results: "fffs", wantReady: true, decided: true},
		"a target that was never ready needs no decision": {success: 1, failure: 3, results: "fff", decided: true, message: "refused connection"},
		"a target that was never ready recovers":          {success: 1, failure: 3, results: "fffs", wantReady: true, decided: true},
		"an error of the prober does not count":           {ready: true, success: 1, failure: 2, results: "feee", wantReady: true},
		"a refused probe does not count":                  {ready: true, success: 1, failure: 2, results: "frrr", wantReady: true},
		"another probe restarts the count, not the state": {ready: true, success: 1, failure: 3, results: "sffa", wantReady: true},
		"another probe of a withdrawn target":             {ready: true, success: 1, failure: 1, results: "fxa"},
		"a withdrawn target fails again":                  {ready: true, success: 1, failure: 1, results: "fxfff", decided: true, message: "refused connection"},
		"a withdrawn target needs its successes":          {ready: true, success: 2, failure: 1, results: "fxs", decided: true, message: "refused connection"},
		"a withdrawn target recovers and can fail again":  {ready: true, success: 1, failure: 1, results: "fxsf", wantReady: true, decided: true, candidate: true},
		"failures below the threshold keep the message":   {success: 1, failure: 3, results: "sff", wantReady: true, decided: true},
	} {
		t.Run(name, func(t *testing.T) {
			spec := &probe.Spec{SuccessThreshold: test.success, FailureThreshold: test.failure}
			got, now := health{}.adoptCondition(test.ready), noon
			for _, result := range test.results {
				now = now.Add(time.Second)
				switch result {
				case 's':
					got = got.after(probe.Result{Outcome: probe.Success}, spec, now)
				case 'f':
					got = got.after(probe.Result{Outcome: probe.Failure, Message: "refused connection"}, spec, now)
				case 't':
					got = got.after(probe.Result{Outcome: probe.Timeout, Message: "no answer"}, spec, now)
				case 'r':
					got = got.after(probe.Result{Outcome: probe.Refused, Message: "no"}, spec, now)
				case 'e':
					got = got.after(probe.Result{Outcome: probe.Error}, spec, now)
				case 'x':
					if !got.candidate() {
						t.Fatal("there is nothing to withdraw")
					}
					got = got.withdraw()
				case 'a':
					got = got.resetForNewProbe()
				}
			}
			if got.ready != test.wantReady || got.decided != test.decided || got.candidate() != test.candidate || got.message != test.message {
				t.Errorf("ready %t decided %t candidate %t message %q; want %t %t %t %q",
					got.ready, got.decided, got.candidate(), got.message, test.wantReady, test.decided, test.candidate, test.message)
			}
		})
	}
}

// TestRefusedHostKeepsItsFirstReason: DNS returns the addresses of a name in another order
// each time, so that each probe would be a write.
func TestRefusedHostKeepsItsFirstReason(t *testing.T) {
	spec := &probe.Spec{SuccessThreshold: 1, FailureThreshold: 1}
	refused := func(address string) probe.Result { return probe.Result{Outcome: probe.Refused, Message: address} }
	got := health{}.after(refused("one"), spec, noon).after(refused("another"), spec, noon)
	if got.refused != "one" {
		t.Errorf("refused is %q, want the first", got.refused)
	}
	got = got.after(probe.Result{Outcome: probe.Success}, spec, noon).after(refused("another"), spec, noon)
	if got.refused != "another" {
		t.Errorf("after a success refused is %q, want the new one", got.refused)
	}
}

func TestRefreshIsSpread(t *testing.T) {
	const refresh = 5 * time.Minute
	early := 0
	for seed := range uint64(1000) {
		seed *= 0x9e3779b97f4a7c15
		if refreshDue(noon, noon.Add(refresh-time.Nanosecond), refresh, seed) {
			t.Fatalf("seed %d is due before the refresh time", seed)
		}
		if !refreshDue(noon, noon.Add(2*refresh), refresh, seed) {
			t.Fatalf("seed %d is not due after twice the refresh time", seed)
		}
		if refreshDue(noon, noon.Add(refresh*3/2), refresh, seed) {
			early++
		}
	}
	if early < 400 || early > 600 {
		t.Errorf("%d of 1000 are due in the first half, want about half", early)
	}
}
