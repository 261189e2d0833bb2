package readiness

import (
	"cmp"
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/external-workload/controller/controller/readiness/hold"
	"github.com/external-workload/controller/controller/readiness/probe"
)

const (
	// evaluateInterval is the shortest time between two evaluations of the
	// hold. Failures that come together are decided together.
	evaluateInterval = 100 * time.Millisecond

	// holdInterval is the time between evaluations during a hold.
	holdInterval = time.Second
)

// families are what a prober can lose each alone: the networks of one address
// family, or the hosts that probes name.
var families = []corev1.IPFamily{corev1.IPv4Protocol, corev1.IPv6Protocol, ""}

// familyOf is the family whose hold a probe belongs to.
func familyOf(spec *probe.Spec) corev1.IPFamily { return spec.Targets[0].Family }

// nameOf is a family as people call it.
func nameOf(family corev1.IPFamily) string {
	if family == "" {
		return "Host"
	}
	return string(family)
}

// holdState is what is held of one family, and the evidence for it.
type holdState struct {
	*hold.Evaluator
	// candidates are the workloads whose failures may have reached their threshold.
	candidates map[cache.ObjectName]bool
}

func newHoldStates(policy hold.Policy) map[corev1.IPFamily]*holdState {
	states := map[corev1.IPFamily]*holdState{}
	for _, family := range families {
		states[family] = &holdState{Evaluator: hold.New(policy), candidates: map[cache.ObjectName]bool{}}
	}
	return states
}

// forgetEvidence drops what probes of a workload have found out about the prober.
func (c *Controller) forgetEvidence(key cache.ObjectName, spec *probe.Spec) {
	if spec != nil {
		c.holds[familyOf(spec)].Forget(key)
	}
}

// holdDecision is what one evaluation has decided for a family.
type holdDecision struct {
	hold.Decision
	family corev1.IPFamily
	// active is whether readiness is held from now on.
	active bool
	// changed are the workloads whose condition follows from the decision.
	changed []cache.ObjectName
}

// evaluateHolds decides whenever the failures of a workload have reached its
// threshold, and again while something is undecided.
func (c *Controller) evaluateHolds(ctx context.Context) {
	defer c.config.Observer.SetHold(false)
	c.config.Observer.SetHold(false)
	// Without anything undecided the timer is far away.
	timer := c.config.Clock.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.evaluate:
		case <-timer.C():
		}
		timer.Reset(c.evaluateFamilies(ctx))
		if !c.pause(ctx) {
			return
		}
	}
}

// evaluateFamilies evaluates the hold of each family. It returns the time to
// the next evaluation.
func (c *Controller) evaluateFamilies(ctx context.Context) time.Duration {
	next, active := time.Hour, false
	for _, family := range families {
		decision := c.evaluateHold(family)
		c.carryOut(ctx, decision)
		active = active || decision.active
		if decision.Waiting > 0 {
			next = min(next, evaluateInterval)
		}
		if decision.active {
			next = min(next, holdInterval)
		}
	}
	c.config.Observer.SetHold(active)
	c.expiry.setHold(active, c.config.Clock.Now())
	return next
}

// pause keeps evaluations apart. It returns false when ctx is cancelled.
func (c *Controller) pause(ctx context.Context) bool {
	timer := c.config.Clock.NewTimer(evaluateInterval)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C():
		return true
	}
}

// evaluateHold decides about all workloads of a family whose failures have
// reached their threshold.
func (c *Controller) evaluateHold(family corev1.IPFamily) holdDecision {
	c.mu.Lock()
	defer c.mu.Unlock()
	state, decision := c.holds[family], holdDecision{family: family}
	if len(state.candidates) == 0 && !state.Active() {
		return decision
	}
	now := c.config.Clock.Now()
	decision.Decision = state.Evaluate(now, c.candidates(state))
	decision.active = state.Active()
	for _, key := range decision.Withdraw {
		c.records[key].health = c.records[key].health.withdraw()
		decision.changed = append(decision.changed, key)
	}
	for _, key := range decision.Hold {
		if current := c.records[key]; !current.health.held {
			current.health.held = true
			decision.changed = append(decision.changed, key)
		}
	}
	for _, key := range decision.Release {
		c.records[key].health = c.records[key].health.restart()
		decision.changed = append(decision.changed, key)
	}
	if decision.Ended && !decision.Expired {
		c.restartAll(family)
	}
	return decision
}

// candidates are the workloads whose failures have reached their threshold, in order.
func (c *Controller) candidates(state *holdState) []hold.Candidate {
	candidates := make([]hold.Candidate, 0, len(state.candidates))
	for key := range state.candidates {
		current := c.records[key]
		if current == nil || !current.health.candidate() {
			delete(state.candidates, key)
			continue
		}
		candidates = append(candidates, hold.Candidate{
			Key: key, FailingSince: current.health.failingSince, Reached: current.health.reached, Held: current.health.held,
			Unproven: current.moved,
		})
	}
	slices.SortFunc(candidates, func(a, b hold.Candidate) int {
		return cmp.Or(cmp.Compare(a.Key.Namespace, b.Key.Namespace), cmp.Compare(a.Key.Name, b.Key.Name))
	})
	return candidates
}

// restartAll sets aside the failures of all workloads of a family that are
// ready: what was found while the prober was the suspect does not count.
func (c *Controller) restartAll(family corev1.IPFamily) {
	for _, current := range c.records {
		if current.spec != nil && familyOf(current.spec) == family && current.health.ready && current.health.failures > 0 {
			current.health = current.health.restart()
		}
	}
}

// carryOut acts on a decision.
func (c *Controller) carryOut(ctx context.Context, decision holdDecision) {
	c.schedule.RunEarly(decision.Sample...)
	for _, key := range decision.changed {
		c.loop.Add(key)
	}
	logger := klog.LoggerWithValues(klog.FromContext(ctx), "family", nameOf(decision.family),
		"failingNamespaces", decision.FailingNamespaces, "namespaces", decision.Namespaces,
		"failingTargets", decision.FailingTargets, "targets", decision.Targets)
	if decision.Began {
		logger.Error(nil, "Probes of most namespaces fail together: readiness is held")
		c.reportHoldBegan(ctx, decision)
	}
	if decision.Ended {
		logger.Info("Readiness is no longer held", "expired", decision.Expired)
		c.reportHoldEnded(ctx, decision)
	}
}

// wakeEvaluation asks for an evaluation. One that is pending is enough.
func (c *Controller) wakeEvaluation() {
	select {
	case c.evaluate <- struct{}{}:
	default:
	}
}
