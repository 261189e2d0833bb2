package readiness

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/tools/cache"

	"github.com/external-workload/controller/controller/readiness/hold"
	"github.com/external-workload/controller/controller/readiness/probe"
	"github.com/external-workload/controller/controller/readiness/schedule"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// slowAfter is the duration from which a probe counts as slow; the schedule reserves
// memory for others.
const slowAfter = 500 * time.Millisecond

// runProbe probes all targets of one workload once, concurrently.
func (c *Controller) runProbe(ctx context.Context, key cache.ObjectName, run schedule.Run) (slow bool) {
	c.mu.Lock()
	current := c.records[key]
	c.mu.Unlock()
	if current == nil || len(current.targets) == 0 {
		return false
	}
	begin := c.config.Clock.Now()
	var running sync.WaitGroup
	for i := range current.targets[1:] {
		running.Go(func() { c.probeTarget(ctx, key, current, i+1, run) })
	}
	c.probeTarget(ctx, key, current, 0, run)
	running.Wait()
	return ctx.Err() == nil && c.config.Clock.Since(begin) >= slowAfter
}

// probeTarget probes one target of a workload and records the result. An early probe is
// only evidence about the prober: thresholds count probes that are a period apart.
func (c *Controller) probeTarget(ctx context.Context, key cache.ObjectName, current *record, index int, run schedule.Run) {
	target := current.targets[index].Target
	begin := c.config.Clock.Now()
	result := c.ask(ctx, current.spec, target)
	end := c.config.Clock.Now()
	if ctx.Err() != nil {
		return
	}
	c.config.Observer.Probed(string(current.spec.Kind), string(result.Outcome), end.Sub(begin), run.Late)
	before, after, valid := c.note(key, current, index, result, end, run.Early)
	if !valid || run.Early {
		return
	}
	if after.candidate() && !before.candidate() {
		c.wakeEvaluation()
	}
	c.syncIfNeeded(key)
	c.reportWarning(key, target.Family, before, result)
}

// note records a result, unless the workload's probe has changed meanwhile.
func (c *Controller) note(key cache.ObjectName, current *record, index int, result probe.Result, now time.Time, early bool) (before, after health, valid bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.records[key] != current {
		return health{}, health{}, false
	}
	target := &current.targets[index]
	state := c.holds[target.Family]
	observe(state.Evaluator, key, current.spec, result, now)
	before = target.health
	if early {
		return before, before, true
	}
	target.health = before.after(result, current.spec, now)
	if target.health.candidate() {
		state.candidates[key] = true
	}
	return before, target.health, true
}

// observe records a result as evidence about the prober.
func observe(evaluator *hold.Evaluator, key cache.ObjectName, spec *probe.Spec, result probe.Result, now time.Time) {
	switch result.Outcome {
	case probe.Refused:
		evaluator.Forget(key)
	case probe.Error:
	default:
		evaluator.Observe(now, key, result.Outcome == probe.Success, spec.Period*time.Duration(spec.FailureThreshold))
	}
}

// syncIfNeeded queues the workload if its conditions differ from the desired ones.
func (c *Controller) syncIfNeeded(key cache.ObjectName) {
	workload := c.get(key)
	if workload == nil {
		// The deletion event removes its record.
		return
	}
	if _, _, differs := c.desired(workload); differs {
		c.loop.Add(key)
	}
}

// desired returns the workload's desired conditions, and whether they differ.
func (c *Controller) desired(workload *v1beta1.ExternalWorkload) (decided decision, conditions []v1beta1.WorkloadCondition, differs bool) {
	decided = decide(workload, c.observations(workload))
	conditions, differs = c.merge(workload, decided)
	return decided, conditions, differs
}

// merge merges a decision into the workload's conditions as of now.
func (c *Controller) merge(workload *v1beta1.ExternalWorkload, decided decision) ([]v1beta1.WorkloadCondition, bool) {
	now := c.config.Clock.Now()
	return merge(workload.Status.Conditions, decided, now, func(lastProbe time.Time) bool {
		return refreshDue(lastProbe, now, c.config.ProbeTimeRefresh, seedOf(workload))
	})
}

// problemOf returns the problem of an annotation that cannot be followed.
func problemOf(err error) *Problem {
	problem := &Problem{Reason: ReasonInvalidProbe, Message: clip(strings.ReplaceAll(err.Error(), "\n", "; "))}
	if _, refused := errors.AsType[*probe.RefusedError](err); refused {
		problem.Reason = ReasonProbeAddressRefused
	}
	if _, is := errors.AsType[*probe.HostNotAllowedError](err); is {
		problem.Reason = ReasonHostNotAllowed
	}
	if _, is := errors.AsType[*probe.NoAddressError](err); is {
		problem.Reason = ReasonNoAddress
	}
	return problem
}
