package readiness

import (
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"

	"github.com/external-workload/controller/controller/readiness/probe"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/events"
)

// The actions of Events.
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
	// eventAddressChanged on a workload: it was ready at another address, port or host
	// than the current one.
	eventAddressChanged = kinds.Normal(ReasonAddressChanged, actionProbe)
	// eventProbeWarning on a workload: a probe succeeded with a warning.
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
	// eventStatusRefused on a workload: the API server refuses its conditions.
	eventStatusRefused = kinds.Warning("StatusRefused", actionWrite)
	// eventReadyConflict on a workload: another writer changes a condition, mostly Ready, too.
	eventReadyConflict = kinds.Warning("ReadyConflict", actionWrite)
	// eventHoldBegan: readiness is held, because the prober may be cut off.
	eventHoldBegan = kinds.Warning("ReadinessHoldBegan", actionHold)
	// eventHoldEnded and eventHoldExpired: readiness is no longer held.
	eventHoldEnded   = kinds.Normal("ReadinessHoldEnded", actionHold)
	eventHoldExpired = kinds.Warning("ReadinessHoldEnded", actionHold)
)

// EventKinds returns all kinds of Events that this package records.
func EventKinds() []events.Kind { return kinds.All() }

// reportChanges records Events of a workload after its conditions were written.
func (c *Controller) reportChanges(before *v1beta1.ExternalWorkload, decided decision) {
	for _, family := range decided.families {
		c.reportWithdrawal(before, family)
	}
	if ready := decided.ready; ready != nil && len(decided.families) == 0 {
		c.reportWithdrawal(before, ready)
	}
	accepted := decided.accepted
	if accepted == nil {
		return
	}
	kind, rejected := eventsRejected[accepted.reason]
	if !rejected {
		return // publishing records what it leaves out
	}
	actual := find(before.Status.Conditions, v1beta1.WorkloadAccepted)
	if actual != nil && actual.Status == accepted.status && actual.Reason == accepted.reason && actual.Message == accepted.message {
		return
	}
	c.config.Observer.AnnotationRejected(accepted.reason)
	c.config.Events.Record(kind, before, nil, "%s", accepted.message)
}

// reportWithdrawal records that a condition is no longer True. The Events of two
// address families are distinguished by their action.
func (c *Controller) reportWithdrawal(before *v1beta1.ExternalWorkload, written *condition) {
	actual := find(before.Status.Conditions, written.kind)
	if actual == nil || actual.Status != v1beta1.ConditionTrue || written.status == v1beta1.ConditionTrue {
		return
	}
	family := strings.TrimPrefix(string(written.kind), string(v1beta1.WorkloadReady))
	switch written.reason {
	case ReasonProbeFailed:
		c.config.Events.Record(eventProbeFailed.For(family), before, nil, "Not ready any more: %s", written.message)
	case ReasonAddressChanged:
		c.config.Events.Record(eventAddressChanged.For(family), before, nil, "Not ready any more: %s", written.message)
	}
}

// reportWarning records a success with a warning, when it is new.
func (c *Controller) reportWarning(key cache.ObjectName, family corev1.IPFamily, before health, result probe.Result) {
	if !result.Warning || before.message == result.Message {
		return
	}
	if workload := c.get(key); workload != nil {
		c.config.Events.Record(eventProbeWarning.For(string(family)), workload, nil, "%s", result.Message)
	}
}

// reportHoldBegan and reportHoldEnded name no workload and no namespace: readers of the
// Event may belong to another tenant.
func (c *Controller) reportHoldBegan(ctx context.Context, decision holdDecision) {
	if regarding := c.holdRegarding(ctx); regarding != nil {
		c.config.Events.Record(eventHoldBegan.For(nameOf(decision.family)), regarding, nil,
			"Probes (%s) of %d of %d namespaces, and of %d of %d workloads, fail together: readiness is frozen (held), no workload there is withdrawn",
			nameOf(decision.family), decision.FailingNamespaces, decision.Namespaces, decision.FailingTargets, decision.Targets)
	}
}

func (c *Controller) reportHoldEnded(ctx context.Context, decision holdDecision) {
	regarding := c.holdRegarding(ctx)
	switch {
	case regarding == nil:
	case decision.Expired:
		c.config.Events.Record(eventHoldExpired.For(nameOf(decision.family)), regarding, nil,
			"Readiness (%s) has been frozen (held) for as long as --hold-maximum permits: workloads whose probes fail are withdrawn", nameOf(decision.family))
	default:
		c.config.Events.Record(eventHoldEnded.For(nameOf(decision.family)), regarding, nil,
			"Enough probes (%s) succeed again: readiness follows probes", nameOf(decision.family))
	}
}

// holdRegarding returns the object of Events about a hold; nil for none.
func (c *Controller) holdRegarding(ctx context.Context) runtime.Object {
	if c.config.HoldRegarding == nil {
		return nil
	}
	return c.config.HoldRegarding(ctx)
}
