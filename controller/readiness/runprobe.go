package readiness

import (
	"context"
	"errors"
	"strings"
	"time"

	"k8s.io/client-go/tools/cache"

	"github.com/external-workload/controller/controller/readiness/hold"
	"github.com/external-workload/controller/controller/readiness/probe"
	"github.com/external-workload/controller/controller/readiness/schedule"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// slowAfter is when a probe counts as slow: the schedule keeps room for others.
const slowAfter = 500 * time.Millisecond

// runProbe probes one workload once, and takes note of the result. The result
// of an early probe is evidence about the prober only: thresholds count probes
// that are a period apart.
func (c *Controller) runProbe(ctx context.Context, key cache.ObjectName, run schedule.Run) (slow bool) {
	c.mu.Lock()
	current := c.records[key]
	c.mu.Unlock()
	if current == nil || current.spec == nil {
		return false
	}
	begin := c.config.Clock.Now()
	result := c.ask(ctx, current.spec, current.spec.Targets[0])
	end := c.config.Clock.Now()
	if ctx.Err() != nil {
		return false
	}
	c.config.Observer.Probed(string(current.spec.Kind), string(result.Outcome), end.Sub(begin), run.Late)
	slow = end.Sub(begin) >= slowAfter
	before, after, valid := c.note(key, current, result, end, run.Early)
	if !valid {
		return false
	}
	if run.Early {
		return slow
	}
	if after.candidate() && !before.candidate() {
		c.wakeEvaluation()
	}
	c.syncIfNeeded(key)
	c.tellWarning(key, before, result)
	return slow
}

// note counts a result, unless the workload has another probe by now.
func (c *Controller) note(key cache.ObjectName, current *record, result probe.Result, now time.Time, early bool) (before, after health, valid bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.records[key] != current {
		return health{}, health{}, false
	}
	state := c.holds[familyOf(current.spec)]
	observe(state.Evaluator, key, current.spec, result, now)
	before = current.health
	if early {
		return before, before, true
	}
	current.health = before.after(result, current.spec, now)
	if current.health.decided && current.health.ready {
		current.moved = false
	}
	if current.health.candidate() {
		state.candidates[key] = true
	}
	return before, current.health, true
}

// observe tells a result as evidence about the prober.
func observe(evaluator *hold.Evaluator, key cache.ObjectName, spec *probe.Spec, result probe.Result, now time.Time) {
	switch result.Outcome {
	case probe.Refused:
		evaluator.Forget(key)
	case probe.Error:
	default:
		evaluator.Observe(now, key, result.Outcome == probe.Success, spec.Period*time.Duration(spec.FailureThreshold))
	}
}

// syncIfNeeded queues the workload if its conditions are not what they should be.
func (c *Controller) syncIfNeeded(key cache.ObjectName) {
	workload := c.get(key)
	if workload == nil {
		// Its record goes with the event of its deletion.
		return
	}
	if _, _, differs := c.want(workload); differs {
		c.loop.Add(key)
	}
}

// want is what the workload's conditions should be, and whether they differ.
func (c *Controller) want(workload *v1beta1.ExternalWorkload) (decided decision, conditions []v1beta1.WorkloadCondition, differs bool) {
	now := c.config.Clock.Now()
	due := func(lastProbe time.Time) bool {
		return refreshDue(lastProbe, now, c.config.ProbeTimeRefresh, seedOf(workload))
	}
	decided = decide(workload, c.known(workload))
	conditions, differs = merge(workload.Status.Conditions, decided, now, due)
	return decided, conditions, differs
}

// problemOf is the problem of an annotation that does not decode.
func problemOf(err error) *Problem {
	problem := &Problem{Reason: ReasonInvalidProbe, Message: clip(strings.ReplaceAll(err.Error(), "\n", "; "))}
	if _, refused := errors.AsType[*probe.RefusedError](err); refused {
		problem.Reason = ReasonProbeAddressRefused
	}
	if _, is := errors.AsType[*probe.HostNotAllowedError](err); is {
		problem.Reason = ReasonHostNotAllowed
	}
	return problem
}
