package hold

import "time"

// account updates the used time: it grows during a hold, and shrinks more slowly
// without one.
func (e *Evaluator) account(now time.Time) {
	passed := now.Sub(e.usedAt)
	if e.Active() {
		e.used += passed
	} else if !e.usedAt.IsZero() {
		e.used = max(e.used-passed/recovery, 0)
	}
	e.usedAt = now
}

// mayHold reports whether there is time for a hold, or for the rest of the current one.
func (e *Evaluator) mayHold() bool {
	switch {
	case e.policy.Maximum == Unlimited:
		return true
	case e.Active():
		return e.used < e.policy.Maximum
	default:
		return e.policy.Maximum > 0 && e.used <= e.policy.Maximum/2
	}
}

// transit starts or ends the hold.
func (e *Evaluator) transit(now time.Time, mayHold bool, decision *Decision) {
	switch holds := len(decision.Hold) > 0; {
	case holds && !e.Active():
		e.began, decision.Began = now, true
	case !holds && e.Active():
		e.began = time.Time{}
		decision.Ended, decision.Expired = true, !mayHold
	}
}
