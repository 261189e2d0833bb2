package endpointslice

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/external-workload/controller/controller/loop"
	"github.com/external-workload/controller/pkg/desired"
	"github.com/external-workload/controller/pkg/plan"
)

// The results of a sync, as metrics show them.
const (
	// resultUnchanged: the actual slices are as desired.
	resultUnchanged = "unchanged"
	// resultPublished: writes made a step to the desired state.
	resultPublished = "published"
	// resultStale: the cache lacks our own last write.
	resultStale = "stale"
	// resultYielded: another writer changes the slices repeatedly, so their repair is
	// delayed.
	resultYielded = "yielded"
	// resultConflict: another writer changed a slice in between.
	resultConflict = "conflict"
	// resultTerminating: the namespace is being deleted and accepts no new objects.
	resultTerminating = "terminating"
)

// input is the input of a sync. It must not be changed.
type input struct {
	// service is nil if it does not exist.
	service *corev1.Service
	// settledAt is when endpoints of the Service may first be published.
	settledAt time.Time
	slices    []*discoveryv1.EndpointSlice
}

// gone reports whether there is neither a Service nor a slice of it.
func (in *input) gone() bool { return in.service == nil && len(in.slices) == 0 }

// sync brings the slices of one Service one step closer to the desired state.
func (c *Controller) sync(ctx context.Context, key cache.ObjectName) (loop.Outcome, error) {
	m := c.scratch.Get().(*scratch)
	defer c.scratch.Put(m)
	begin, recovery := c.config.Clock.Now(), c.config.Recovery()
	state := c.states.of(key, begin)
	state.takeUp(c.changes.take(key))

	in, stale, err := c.gather(ctx, key, state, m, begin)
	switch {
	case err != nil:
		return c.failed(key, err)
	case stale > 0:
		return loop.Outcome{Result: resultStale, After: stale}, nil
	}
	next, again := c.plan(state, in, m, recovery, begin)
	if wait := c.yield(ctx, key, state, in, &next, begin); wait > 0 {
		return loop.Outcome{Result: resultYielded, After: wait}, nil
	}
	if logger := klog.FromContext(ctx).V(4); logger.Enabled() && !next.Empty() {
		logger.Info("Planned", "plan", next.String())
	}
	err = c.apply(ctx, state, next)
	c.observe(ctx, key, state, in, &m.desired, next, err)
	if err != nil {
		return c.failed(key, err)
	}
	retryAt := m.desired.RetryAt
	if next.Recovering {
		retryAt = desired.Earlier(retryAt, recovery.Until)
	}
	if !next.More() && retryAt.IsZero() {
		state.settle(begin)
	}
	if in.gone() {
		c.states.forget(key)
	}
	return outcomeOf(next, desired.Earlier(retryAt, again).Sub(begin)), nil
}

// plan computes the next step, without the writes that the API server would alter
// again; those are retried later.
func (c *Controller) plan(state *serviceState, in input, m *scratch, recovery desired.Recovery, now time.Time) (next plan.Plan, again time.Time) {
	if slices.ContainsFunc(in.slices, plan.RefreshRequested) {
		state.takeUp(now, true) // a change that was asked for, and no foreign write
	}
	m.desired.Compute(in.service, m.workloads, desired.Options{
		ManagedBy:            c.config.ManagedBy,
		WithholdSecondFamily: c.config.WithholdSecondFamily,
		IgnoreProbes:         c.config.IgnoreProbes,
		Zones:                c.config.Zones,
		Now:                  now,
		ServiceSettledAt:     in.settledAt,
		Recovery:             recovery,
	})
	next = m.planner.Compute(&m.desired, in.slices, c.optionsOf(state, in.slices, recovery.Ongoing(now)))
	return state.altered.leaveOut(next, in.slices, now)
}

// yield counts a foreign write, if the plan would repair one, and returns how long the
// repair has to wait; zero if it may be made now.
func (c *Controller) yield(ctx context.Context, key cache.ObjectName, state *serviceState, in input, next *plan.Plan, now time.Time) time.Duration {
	if !c.detectForeignWrites(state, in, next) {
		return 0
	}
	c.countForeignWrite(ctx, key, state, in, next, now)
	wait := state.contention.repair(now)
	if wait > 0 {
		state.logBackoff(ctx, wait)
		return wait
	}
	state.beginRepair()
	return 0
}

// gather reads the input of a Service from the caches, which must not be changed. If
// the cache of slices lacks our own writes, it returns when to retry; if it has lacked
// them for long, it reads the slices from the API server.
func (c *Controller) gather(ctx context.Context, key cache.ObjectName, state *serviceState, m *scratch, now time.Time) (in input, stale time.Duration, err error) {
	in.service, in.settledAt, m.workloads = c.membership.gather(key, m.workloads[:0])
	informers := c.informersFor(key.Namespace)
	if informers == nil {
		return in, 0, nil
	}
	// Read the resourceVersions of the caches before their content. In the other order,
	// they could include a write that the content lacks.
	var seen [informersOfSlices]string
	for i, informer := range informers.Slices {
		seen[i] = informer.GetStore().LastStoreSyncResourceVersion()
	}
	in.slices = slicesOf(informers, key)
	switch behind, current := state.cache.behind(in.slices, seen, now); {
	case current:
		return in, 0, nil
	case behind < staleLimit:
		return in, max(staleRetry, behind/10), nil
	}
	in.slices, err = c.look(ctx, key, in.slices)
	if err == nil {
		state.cache.looked(in.slices, c.config.ManagedBy, now)
	}
	return in, 0, err
}

// slicesOf returns the slices of a Service from the informers, without duplicates. A
// slice whose label is just being changed may be in two caches; the first counts.
func slicesOf(informers *Informers, key cache.ObjectName) []*discoveryv1.EndpointSlice {
	var all []*discoveryv1.EndpointSlice
	for _, informer := range informers.Slices {
		found, err := informer.GetTypedIndexer().ByTypedIndex(byService, key.String())
		if err != nil {
			panic(err) // the index exists since NewInformers
		}
		if all == nil {
			all = found
			continue
		}
		for _, slice := range found {
			if !slices.ContainsFunc(all, func(s *discoveryv1.EndpointSlice) bool { return s.Name == slice.Name }) {
				all = append(all, slice)
			}
		}
	}
	return all
}

// look reads a Service's slices from the API server. Cached slices without the
// Service's name label are taken from the cache.
func (c *Controller) look(ctx context.Context, key cache.ObjectName, cached []*discoveryv1.EndpointSlice) ([]*discoveryv1.EndpointSlice, error) {
	klog.FromContext(ctx).Error(nil, "The watch of EndpointSlices has not shown our own write for long; it stalls, or etcd was restored from a backup. Reading them directly",
		"after", staleLimit)
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	list, err := c.config.Client.EndpointSlices(key.Namespace).List(ctx, metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + key.Name})
	if err != nil {
		return nil, fmt.Errorf("list EndpointSlices: %w", err)
	}
	var found []*discoveryv1.EndpointSlice
	for i := range list.Items {
		slice := &list.Items[i]
		manager := slice.Labels[discoveryv1.LabelManagedBy]
		if service, ours := plan.ServiceOf(slice); ours && service.Name == key.Name && (manager == "" || manager == c.config.ManagedBy) {
			found = append(found, slice)
		}
	}
	for _, slice := range cached {
		if slice.Labels[discoveryv1.LabelServiceName] != key.Name {
			found = append(found, slice)
		}
	}
	return found, nil
}

// optionsOf returns the plan options that depend on the past.
func (c *Controller) optionsOf(s *serviceState, found []*discoveryv1.EndpointSlice, recovering bool) plan.Options {
	return plan.Options{
		MaxEndpoints: c.config.MaxEndpoints, Trigger: s.trigger, Since: s.since,
		NamesTaken: int(s.namesTaken.Load()), Failed: s.refused.of(found), Recovering: recovering,
	}
}

// outcomeOf returns the outcome of a sync that executed a plan.
func outcomeOf(done plan.Plan, after time.Duration) loop.Outcome {
	outcome := loop.Outcome{Result: resultUnchanged, After: max(after, 0)}
	if !done.Empty() {
		outcome.Result = resultPublished
	}
	return outcome
}
