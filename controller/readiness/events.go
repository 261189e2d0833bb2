package readiness

import (
	"k8s.io/client-go/tools/cache"

	"github.com/external-workload/controller/controller/readiness/probe"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/events"
)

// What the controller was doing when it recorded an Event.
const (
	actionProbe  = "Probe"
	actionDecode = "DecodeAnnotation"
	actionHold   = "HoldReadiness"
)

// kinds are all Events that this package records.
var kinds events.Kinds

var (
	// eventProbeFailed on a workload: it was ready, and its probes failed.
	eventProbeFailed = kinds.Warning(ReasonProbeFailed, actionProbe)
	// eventProbeWarning on a workload: a probe succeeded in a way that its author
	// should look at.
	eventProbeWarning = kinds.Warning("ProbeWarning", actionProbe)
	// eventsRejected on a workload: an annotation cannot be followed, for this reason.
	eventsRejected = map[string]events.Kind{
		ReasonInvalidProbe:        kinds.Warning(ReasonInvalidProbe, actionDecode),
		ReasonInvalidReady:        kinds.Warning(ReasonInvalidReady, actionDecode),
		ReasonProbeAddressRefused: kinds.Warning(ReasonProbeAddressRefused, actionProbe),
		ReasonHostNotAllowed:      kinds.Warning(ReasonHostNotAllowed, actionDecode),
	}
	// eventHoldBegan: readiness is held, since the prober is the suspect.
	eventHoldBegan = kinds.Warning("ReadinessHoldBegan", actionHold)
	// eventHoldEnded and eventHoldExpired: it is not held any more.
	eventHoldEnded   = kinds.Normal("ReadinessHoldEnded", actionHold)
	eventHoldExpired = kinds.Warning("ReadinessHoldEnded", actionHold)
)

// EventKinds are all kinds of Events that this package records.
func EventKinds() []events.Kind { return kinds.All() }

// tellChanges records what went wrong with a workload, once it is written.
func (c *Controller) tellChanges(before *v1beta1.ExternalWorkload, decided decision) {
	if ready := decided.ready; ready != nil && ready.reason == ReasonProbeFailed && isReady(before) {
		c.config.Events.Record(eventProbeFailed, before, nil, "Not ready any more: %s", ready.message)
	}
	accepted := decided.accepted
	if accepted == nil {
		return
	}
	kind, rejected := eventsRejected[accepted.reason]
	if !rejected {
		return // publishing records what it leaves out
	}
	have := find(before.Status.Conditions, v1beta1.WorkloadAccepted)
	if have != nil && have.Status == accepted.status && have.Reason == accepted.reason && have.Message == accepted.message {
		return
	}
	c.config.Observer.AnnotationRejected(accepted.reason)
	c.config.Events.Record(kind, before, nil, "%s", accepted.message)
}

// tellWarning records a success with a warning, when it is new.
func (c *Controller) tellWarning(key cache.ObjectName, before health, result probe.Result) {
	if !result.Warning || before.message == result.Message {
		return
	}
	if workload := c.get(key); workload != nil {
		c.config.Events.Record(eventProbeWarning, workload, nil, "%s", result.Message)
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
	c.config.Events.Record(eventHoldBegan, regarding, nil,
		"%d of %d ready probed workloads fail together: the prober is the suspect, and none is withdrawn", judged.census.Failing, judged.census.Total)
}

// tellRelease needs an object that outlives the hold, so it is told only of
// one that was given.
func (c *Controller) tellRelease(judged verdict) {
	if c.config.HoldRegarding == nil {
		return
	}
	if judged.after.Expired {
		c.config.Events.Record(eventHoldExpired, c.config.HoldRegarding, nil, "The hold has lasted as long as it may: workloads whose probes fail are withdrawn")
		return
	}
	c.config.Events.Record(eventHoldEnded, c.config.HoldRegarding, nil, "Enough probes succeed again: readiness follows probes")
}
