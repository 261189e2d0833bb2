package endpointslice

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/external-workload/controller/controller/loop"
	"github.com/external-workload/controller/pkg/desired"
	"github.com/external-workload/controller/pkg/plan"
)

// The results of a sync, as metrics show them.
const (
	// resultUnchanged: everything stands as it is desired.
	resultUnchanged = "unchanged"
	// resultPublished: writes brought it there, or a step nearer.
	resultPublished = "published"
	// resultStale: the cache has not seen our own last write yet.
	resultStale = "stale"
	// resultYielded: somebody else writes the slices again and again, so they
	// are left alone for a while.
	resultYielded = "yielded"
	// resultConflict: somebody else wrote in between.
	resultConflict = "conflict"
	// resultTerminating: the namespace is going, and takes no new objects.
	resultTerminating = "terminating"
)

// input is what a sync reads. Nothing of it may be changed.
type input struct {
	// service is nil if there is none of that name.
	service *corev1.Service
	slices  []*discoveryv1.EndpointSlice
}

// gone tells whether there is neither a Service nor a slice of it.
func (in *input) gone() bool { return in.service == nil && len(in.slices) == 0 }

// sync brings the slices of one Service a step nearer to what is desired.
func (c *Controller) sync(ctx context.Context, key cache.ObjectName) (loop.Outcome, error) {
	s := c.scratch.Get().(*scratch)
	defer c.scratch.Put(s)
	begin := c.config.Clock.Now()

	in, fresh := c.gather(key, s)
	if !fresh {
		return loop.Outcome{Result: resultStale, After: staleRetry}, nil
	}
	if left := c.yields(key, begin); left > 0 {
		return loop.Outcome{Result: resultYielded, After: left}, nil
	}
	others := c.meetOthers(ctx, key, in, begin)
	s.state.Compute(in.service, s.workloads, desired.Options{
		ManagedBy:            c.config.ManagedBy,
		WithholdSecondFamily: c.config.WithholdSecondFamily,
		Now:                  begin,
	})
	options := c.records.options(key, c.config.MaxEndpoints)
	next := s.planner.Compute(&s.state, in.slices, options)
	if others && !next.Empty() {
		c.records.with(key, func(rec *record) { rec.dispute.repair(begin) })
	}
	err := c.apply(ctx, key, next)
	c.observe(ctx, key, in, &s.state, next, err)
	if err != nil {
		return c.failed(key, err)
	}
	if !next.More {
		c.remember(key, in, &s.state, next, options, begin)
	}
	return outcomeOf(next, s.state.RetryAt.Sub(begin)), nil
}

// remember takes note of a Service that is as desired, or will be when the cache
// has seen what a sync that began at a time has written.
func (c *Controller) remember(key cache.ObjectName, in input, state *desired.State, done plan.Plan, options plan.Options, begin time.Time) {
	if done.Empty() {
		c.records.stands(key, in.slices)
	}
	since := begin
	if !state.RetryAt.IsZero() {
		since = options.Since // what is held is still to be published
	}
	c.records.settled(key, options.Trigger, since, in.gone())
}

// outcomeOf says what a sync did that carried out a plan.
func outcomeOf(done plan.Plan, after time.Duration) loop.Outcome {
	outcome := loop.Outcome{Result: resultUnchanged, After: max(after, 0)}
	if !done.Empty() {
		outcome.Result = resultPublished
	}
	return outcome
}
