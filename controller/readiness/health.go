package readiness

import (
	"time"

	"github.com/external-workload/controller/controller/readiness/probe"
)

// health is the state of one target's probes. It is an immutable value: its methods
// return the next one.
type health struct {
	// ready is true if the probe has passed and the target was not withdrawn since. It
	// starts with the state in the condition of exactly this target, so that a restart
	// alone changes nothing.
	ready bool
	// decided is true once probes of this process have confirmed or changed ready.
	// Until then the condition does not change.
	decided bool
	// successes and failures are the numbers of consecutive results; one of them is
	// zero.
	successes, failures int32
	// failingSince is when the first of the consecutive failures ended, and reached is
	// when they reached the threshold while the target was ready.
	failingSince, reached time.Time
	// probed is when the last probe ended, and lastSuccess when the last successful one
	// did.
	probed, lastSuccess time.Time
	// held is true if the target stays ready although its failures have reached the
	// threshold, because the prober may be cut off.
	held bool
	// message is the message of the state, and failure that of the last failure.
	message, failure string
	// refused is the reason why the last probe was refused, or the first of several in a
	// row; empty if it was not.
	refused string
}

// after returns the health once a probe has ended with a result.
func (h health) after(result probe.Result, spec *probe.Spec, now time.Time) health {
	switch result.Outcome {
	case probe.Refused:
		// A name may have several such addresses, which DNS returns in another order each
		// time: the first reason stays, or each probe would be a write and an Event.
		if h.refused == "" {
			h.refused = result.Message
		}
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

// candidate reports whether the failures have reached the threshold, so that the target
// is withdrawn unless it is held.
func (h health) candidate() bool { return !h.reached.IsZero() }

// withdraw makes the target not ready.
func (h health) withdraw() health {
	h.ready, h.decided, h.message = false, true, h.failure
	h.reached, h.held = time.Time{}, false
	return h
}

// resetCounters resets the counts and keeps the state. A change then needs as many
// failures as at the start.
func (h health) resetCounters() health {
	h.successes, h.failures = 0, 0
	h.failingSince, h.reached, h.held = time.Time{}, time.Time{}, false
	return h
}

// resetForNewProbe returns the health of a target whose probe has changed. The state
// stays until the new probe has decided.
func (h health) resetForNewProbe() health {
	h = h.resetCounters()
	h.decided, h.refused, h.probed = false, "", time.Time{}
	h.message, h.failure = "", ""
	return h
}

// adoptCondition sets the state from the condition, unless probes have decided already.
func (h health) adoptCondition(ready bool) health {
	if !h.decided {
		h.ready = ready
	}
	return h
}
