package readiness

import (
	"time"

	"github.com/external-workload/controller/controller/readiness/probe"
)

// health is what the probes of one target have found out. It is a value: its
// methods return the next one.
type health struct {
	// ready is whether the target is proven: it has passed, and has not failed
	// so often that this was withdrawn. It begins as what the condition says of
	// this very target, so that a restart changes nothing by itself.
	ready bool
	// decided is whether probes of this process have confirmed ready or brought
	// it about. Until then the condition is left as it is.
	decided bool
	// successes and failures count those in a row; one of them is zero.
	successes, failures int32
	// failingSince is when the first of failures ended, and reached is when
	// they reached the threshold while the target was ready.
	failingSince, reached time.Time
	// probed is when the last probe ended, and lastSuccess when the last that
	// succeeded did.
	probed, lastSuccess time.Time
	// held is whether the target stays ready although failures have reached the
	// threshold, since the prober is the suspect.
	held bool
	// message belongs to the state, and failure to the last failure.
	message, failure string
	// refused is why the last probe was refused; empty if it was not.
	refused string
}

// after returns the health once a probe has ended with a result.
func (h health) after(result probe.Result, spec *probe.Spec, now time.Time) health {
	switch result.Outcome {
	case probe.Refused:
		h.refused = result.Message
		return h
	case probe.Error:
		return h
	}
	h.refused, h.probed = "", now
	if result.Outcome == probe.Success {
		h.lastSuccess = now
		return h.afterSuccess(result.Message, spec)
	}
	return h.afterFailure(result.Message, spec, now)
}

func (h health) afterSuccess(message string, spec *probe.Spec) health {
	h.failures, h.failingSince, h.reached, h.held = 0, time.Time{}, time.Time{}, false
	h.successes = min(h.successes+1, spec.SuccessThreshold)
	if h.successes == spec.SuccessThreshold {
		h.ready, h.decided, h.message = true, true, message
	}
	return h
}

func (h health) afterFailure(message string, spec *probe.Spec, now time.Time) health {
	h.successes = 0
	if h.failures == 0 {
		h.failingSince = now
	}
	h.failures = min(h.failures+1, spec.FailureThreshold)
	h.failure = message
	if h.failures < spec.FailureThreshold {
		return h
	}
	if !h.ready {
		h.decided, h.message = true, message
	} else if h.reached.IsZero() {
		h.reached = now
	}
	return h
}

// candidate reports whether the failures have reached the threshold, so that the
// target is withdrawn unless its readiness is held.
func (h health) candidate() bool { return !h.reached.IsZero() }

// withdraw turns the target not ready.
func (h health) withdraw() health {
	h.ready, h.decided, h.message = false, true, h.failure
	h.reached, h.held = time.Time{}, false
	return h
}

// resetCounters sets aside what probes found so far and keeps the state. It
// takes as many failures as at the beginning to change it.
func (h health) resetCounters() health {
	h.successes, h.failures = 0, 0
	h.failingSince, h.reached, h.held = time.Time{}, time.Time{}, false
	return h
}

// resetForNewProbe returns the health of a target that is asked in another way from
// now on. The state is kept until that has decided something.
func (h health) resetForNewProbe() health {
	h = h.resetCounters()
	h.decided, h.refused, h.probed = false, "", time.Time{}
	h.message, h.failure = "", ""
	return h
}

// adoptCondition takes over the condition's state as long as probes have decided
// nothing.
func (h health) adoptCondition(ready bool) health {
	if !h.decided {
		h.ready = ready
	}
	return h
}
