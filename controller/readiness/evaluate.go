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
)

const (
	// evaluateInterval is the minimum interval between two evaluations of the hold, so
	// that simultaneous failures are evaluated together.
	evaluateInterval = 100 * time.Millisecond

	// holdInterval is the interval between evaluations during a hold.
	holdInterval = time.Second
)

// holdFamilies are the groups of targets that a prober can lose independently: the
// networks of one address family, or the hosts that probes set. A workload has at most
// one target in each.
var holdFamilies = []corev1.IPFamily{corev1.IPv4Protocol, corev1.IPv6Protocol, ""}

// nameOf returns the name of a family in messages.
func nameOf(family corev1.IPFamily) string {
	if family == "" {
		return "Host"
	}
	return string(family)
}

// holdState is the hold of one family, and its evidence.
type holdState struct {
	*hold.Evaluator
	// candidates are the workloads whose failures may have reached their threshold.
	candidates map[cache.ObjectName]bool
}

func newHoldStates(policy hold.Policy) map[corev1.IPFamily]*holdState {
	states := map[corev1.IPFamily]*holdState{}
	for _, family := range holdFamilies {
		states[family] = &holdState{Evaluator: hold.New(policy), candidates: map[cache.ObjectName]bool{}}
	}
	return states
}

// forgetEvidence removes the evidence of a target.
func (c *Controller) forgetEvidence(key cache.ObjectName, forgotten target) {
	c.holds[forgotten.Family].Forget(key)
}

// healthIn returns what is known of a workload's target in a family; nil if it has none.
func (c *Controller) healthIn(key cache.ObjectName, family corev1.IPFamily) *health {
	current := c.records[key]
	if current == nil {
		return nil
	}
	at := slices.IndexFunc(current.targets, func(t target) bool { return t.Family == family })
	if at < 0 {
		return nil
	}
	return &current.targets[at].health
}

// holdDecision is the result of one evaluation for a family.
type holdDecision struct {
	hold.Decision
	family corev1.IPFamily
	// active is true if readiness is held from now on.
	active bool
	// changed are the workloads whose condition changes with the decision.
	changed []cache.ObjectName
}

// evaluateHolds evaluates the hold whenever the failures of a workload have reached its
// threshold, and again while a decision is pending.
func (c *Controller) evaluateHolds(ctx context.Context) {
	defer c.config.Observer.SetHold(false)
	c.config.Observer.SetHold(false)
	// Without pending decisions the timer is far in the future.
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
	for _, family := range holdFamilies {
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

// pause waits between evaluations. It returns false when ctx is cancelled.
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

// evaluateHold decides about all workloads of a family whose failures have reached
// their threshold.
func (c *Controller) evaluateHold(family corev1.IPFamily) holdDecision {
	c.mu.Lock()
	defer c.mu.Unlock()
	state, decision := c.holds[family], holdDecision{family: family}
	if len(state.candidates) == 0 && !state.Active() {
		return decision
	}
	now := c.config.Clock.Now()
	decision.Decision = state.Evaluate(now, c.candidates(family))
	decision.active = state.Active()
	for _, key := range decision.Withdraw {
		health := c.healthIn(key, family)
		*health = health.withdraw()
		decision.changed = append(decision.changed, key)
	}
	for _, key := range decision.Hold {
		if health := c.healthIn(key, family); !health.held {
			health.held = true
			decision.changed = append(decision.changed, key)
		}
	}
	for _, key := range decision.Release {
		health := c.healthIn(key, family)
		*health = health.resetCounters()
		decision.changed = append(decision.changed, key)
	}
	if decision.Ended && !decision.Expired {
		c.resetCounters(family)
	}
	return decision
}

// candidates returns the workloads whose failures in a family have reached their
// threshold, in order. Only targets whose probe has passed can be candidates.
func (c *Controller) candidates(family corev1.IPFamily) []hold.Candidate {
	state := c.holds[family]
	candidates := make([]hold.Candidate, 0, len(state.candidates))
	for key := range state.candidates {
		health := c.healthIn(key, family)
		if health == nil || !health.candidate() {
			delete(state.candidates, key)
			continue
		}
		candidates = append(candidates, hold.Candidate{
			Key: key, FailingSince: health.failingSince, Reached: health.reached, Held: health.held,
		})
	}
	slices.SortFunc(candidates, func(a, b hold.Candidate) int {
		return cmp.Or(cmp.Compare(a.Key.Namespace, b.Key.Namespace), cmp.Compare(a.Key.Name, b.Key.Name))
	})
	return candidates
}

// resetCounters ignores earlier failures of all ready targets of a family: results from
// while the prober may have been cut off do not count.
func (c *Controller) resetCounters(family corev1.IPFamily) {
	for key := range c.records {
		if health := c.healthIn(key, family); health != nil && health.ready && health.failures > 0 {
			*health = health.resetCounters()
		}
	}
}

// carryOut applies a decision.
func (c *Controller) carryOut(ctx context.Context, decision holdDecision) {
	c.schedule.RunEarly(decision.Sample...)
	for _, key := range decision.changed {
		c.loop.Add(key)
	}
	logger := klog.LoggerWithValues(klog.FromContext(ctx), "family", nameOf(decision.family),
		"failingNamespaces", decision.FailingNamespaces, "namespaces", decision.Namespaces,
		"failingTargets", decision.FailingTargets, "targets", decision.Targets)
	if decision.Began {
		logger.Error(nil, "Probes of most namespaces fail together: readiness is frozen (held)")
		c.reportHoldBegan(ctx, decision)
	}
	if decision.Ended {
		logger.Info("Readiness is no longer frozen: the hold ended", "expired", decision.Expired)
		c.reportHoldEnded(ctx, decision)
	}
}

// wakeEvaluation requests an evaluation, unless one is pending.
func (c *Controller) wakeEvaluation() {
	select {
	case c.evaluate <- struct{}{}:
	default:
	}
}
