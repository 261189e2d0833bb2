package readiness

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/external-workload/controller/controller/readiness/probe"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// Reasons of Events beside those of conditions.
const (
	// EventProbeWarning: a probe succeeded in a way that its author should look at.
	EventProbeWarning = "ProbeWarning"
	// EventHoldBegan and EventHoldEnded: the last state is held, or no longer.
	EventHoldBegan = "ReadinessHoldBegan"
	EventHoldEnded = "ReadinessHoldEnded"
)

// What the controller was doing when there was an Event.
const (
	actionProbe  = "Probe"
	actionDecode = "DecodeAnnotation"
	actionHold   = "HoldReadiness"
)

// tellChanges records what went wrong with a workload, once it is written.
func (c *Controller) tellChanges(before *v1beta1.ExternalWorkload, decided decision) {
	if ready := decided.ready; ready != nil && ready.reason == ReasonProbeFailed && isReady(before) {
		c.config.Events.Eventf(before, nil, corev1.EventTypeWarning, ReasonProbeFailed, actionProbe, "Not ready any more: %s", ready.message)
	}
	accepted := decided.accepted
	if accepted == nil {
		return
	}
	switch accepted.reason {
	case ReasonInvalidProbe, ReasonInvalidReady, ReasonProbeAddressRefused, ReasonHostNotAllowed:
	default:
		// What was reported has its Event from the one who reported it.
		return
	}
	have := find(before.Status.Conditions, v1beta1.WorkloadAccepted)
	if have != nil && have.Status == accepted.status && have.Reason == accepted.reason && have.Message == accepted.message {
		return
	}
	c.config.Observer.AnnotationRejected(accepted.reason)
	c.config.Events.Eventf(before, nil, corev1.EventTypeWarning, accepted.reason, actionDecode, "%s", accepted.message)
}

// tellWarning records a success with a warning, when it is new.
func (c *Controller) tellWarning(key cache.ObjectName, before health, result probe.Result) {
	if !result.Warning || before.message == result.Message {
		return
	}
	if workload := c.get(key); workload != nil {
		c.config.Events.Eventf(workload, nil, corev1.EventTypeWarning, EventProbeWarning, actionProbe, "%s", result.Message)
	}
}

func (c *Controller) tellHold(judged verdict) {
	regarding := c.config.HoldRegarding
	if regarding == nil {
		workload := c.get(judged.held)
		if workload == nil {
			// The log and the gauge tell it.
			return
		}
		regarding = workload
	}
	c.config.Events.Eventf(regarding, nil, corev1.EventTypeWarning, EventHoldBegan, actionHold,
		"%d of %d ready probed workloads fail together: the prober is the suspect, and none is withdrawn", judged.census.Failing, judged.census.Total)
}

// tellRelease needs an object that outlives the hold, so it is told only of
// one that was given.
func (c *Controller) tellRelease(judged verdict) {
	if c.config.HoldRegarding == nil {
		return
	}
	kind, note := corev1.EventTypeNormal, "Enough probes succeed again: readiness follows probes"
	if judged.after.Expired {
		kind, note = corev1.EventTypeWarning, "The hold has lasted as long as it may: workloads whose probes fail are withdrawn"
	}
	c.config.Events.Eventf(c.config.HoldRegarding, nil, kind, EventHoldEnded, actionHold, "%s", note)
}
