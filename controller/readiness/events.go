package readiness

import (
	"context"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"

	"github.com/external-workload/controller/controller/readiness/probe"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/events"
)

// What the controller was doing when it recorded an Event.
const (
	actionProbe  = "Probe"
	actionDecode = "DecodeAnnotation"
	actionWrite  = "WriteStatus"
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
	// eventDeclarationOverruled on a workload: another manager has written the
	// condition that the manifest declares.
	eventDeclarationOverruled = kinds.Warning("DeclarationOverruled", actionDecode)
	// eventStatusRefused on a workload: the API server does not store its conditions.
	eventStatusRefused = kinds.Warning("StatusRefused", actionWrite)
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

// reportHoldBegan and reportHoldEnded name no workload and no namespace: who
// may read the Event need not be the tenant whose workloads are held.
func (c *Controller) reportHoldBegan(ctx context.Context, decision holdDecision) {
	if regarding := c.holdRegarding(ctx); regarding != nil {
		c.config.Events.Record(eventHoldBegan.For(nameOf(decision.family)), regarding, nil,
			"Probes (%s) of %d of %d namespaces, and of %d of %d workloads, fail together: readiness is held, no workload there is withdrawn",
			nameOf(decision.family), decision.FailingNamespaces, decision.Namespaces, decision.FailingTargets, decision.Targets)
	}
}

func (c *Controller) reportHoldEnded(ctx context.Context, decision holdDecision) {
	regarding := c.holdRegarding(ctx)
	switch {
	case regarding == nil:
	case decision.Expired:
		c.config.Events.Record(eventHoldExpired.For(nameOf(decision.family)), regarding, nil,
			"Readiness (%s) has been held for as long as it may be: workloads whose probes fail are withdrawn", nameOf(decision.family))
	default:
		c.config.Events.Record(eventHoldEnded.For(nameOf(decision.family)), regarding, nil,
			"Enough probes (%s) succeed again: readiness follows probes", nameOf(decision.family))
	}
}

// holdRegarding is the object that Events about a hold regard; nil for none.
func (c *Controller) holdRegarding(ctx context.Context) runtime.Object {
	if c.config.HoldRegarding == nil {
		return nil
	}
	return c.config.HoldRegarding(ctx)
}
