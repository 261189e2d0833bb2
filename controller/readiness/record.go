package readiness

import (
	"hash/fnv"
	"reflect"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"github.com/external-workload/controller/controller/readiness/probe"
	"github.com/external-workload/controller/controller/readiness/schedule"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// record is the state of one workload's probe. Only the health of its targets changes.
type record struct {
	uid types.UID
	// spec is nil if the annotation cannot be followed; problem then says why.
	spec    *probe.Spec
	problem *Problem
	// targets are those of spec, in the same order.
	targets []target
	// refused are the families without an address that may be probed.
	refused []refusal
}

// newRecord decodes the probe of a workload, without any results yet.
func newRecord(workload *v1beta1.ExternalWorkload, annotation string, options probe.Options) *record {
	made := &record{uid: workload.UID}
	var err error
	if made.spec, err = probe.Decode(annotation, workload, options); err != nil {
		made.problem = problemOf(err)
		return made
	}
	made.targets, made.refused = targetsOf(workload, made.spec), refusalsOf(workload, made.spec)
	if !slices.ContainsFunc(made.targets, target.provesSomething) {
		// A host would make Ready True without a proof, and a restart would withdraw it.
		return &record{uid: workload.UID, problem: problemOf(&probe.NoAddressError{})}
	}
	return made
}

// sameProbe reports whether both probe the same targets in the same way.
func (r *record) sameProbe(other *record) bool {
	return r.uid == other.uid && reflect.DeepEqual(r.spec, other.spec) && reflect.DeepEqual(r.problem, other.problem) &&
		slices.EqualFunc(r.targets, other.targets, target.same)
}

// inherit copies the state of targets that both have. Their probe has changed, so the
// counts start again.
func (r *record) inherit(from *record) {
	for i := range r.targets {
		for _, known := range from.targets {
			if r.targets[i].same(known) {
				r.targets[i].health = known.health.resetForNewProbe()
			}
		}
	}
}

// adoptConditions sets the state of targets from the workload's conditions, unless
// probes have decided already.
func (r *record) adoptConditions(workload *v1beta1.ExternalWorkload) {
	ready := isReady(workload)
	for i := range r.targets {
		t := &r.targets[i]
		t.health = t.health.adoptCondition(ready && t.provenBy(workload.Status.Conditions))
	}
}

// probed reports whether any target has a result since the probe was set.
func (r *record) probed() bool {
	return slices.ContainsFunc(r.targets, func(t target) bool { return !t.health.probed.IsZero() })
}

// failingSince returns since when the probes of all targets fail; zero if one does not
// fail or must not be probed. r may be nil.
func (r *record) failingSince() (since time.Time) {
	if r == nil || len(r.refused) > 0 {
		return time.Time{}
	}
	for _, t := range r.targets {
		if t.health.failingSince.IsZero() || t.health.refused != "" {
			return time.Time{}
		}
		if t.health.failingSince.After(since) {
			since = t.health.failingSince
		}
	}
	return since
}

// withoutAddress reports whether the probe is valid and only an address is missing.
func (r *record) withoutAddress() bool {
	return r.problem != nil && r.problem.Reason == ReasonNoAddress
}

// follow updates the probe of a workload from its annotation. An unchanged probe
// continues. initial is true for workloads that existed when the controller started:
// their first probes are spread.
func (c *Controller) follow(workload *v1beta1.ExternalWorkload, initial bool) {
	key := cache.MetaObjectToName(workload)
	annotation, probed := workload.Annotations[v1beta1.ProbeAnnotation]
	if !probed {
		c.forget(key)
		return
	}
	next := newRecord(workload, annotation, c.options)

	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.records[key]
	if before != nil && before.sameProbe(next) {
		before.adoptConditions(workload)
		return
	}
	if before != nil {
		next.inherit(before)
		c.forgetLost(key, before, next)
	}
	next.adoptConditions(workload)
	c.records[key] = next
	if next.spec == nil {
		c.schedule.Remove(key)
		return
	}
	c.schedule.Set(key, schedule.Plan{
		Seed:         seedOf(workload),
		Period:       next.spec.Period,
		Created:      workload.CreationTimestamp.Time,
		InitialDelay: next.spec.InitialDelay,
		Spread:       initial,
		Cost:         probe.Cost(next.spec),
	})
}

// forgetLost removes the evidence of targets that are no longer probed.
func (c *Controller) forgetLost(key cache.ObjectName, before, next *record) {
	for _, t := range before.targets {
		if next == nil || !slices.ContainsFunc(next.targets, t.same) {
			c.forgetEvidence(key, t)
		}
	}
}

// forget stops the probes of a workload.
func (c *Controller) forget(key cache.ObjectName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if before := c.records[key]; before != nil {
		c.forgetLost(key, before, nil)
		delete(c.records, key)
		c.schedule.Remove(key)
	}
}

// observations returns the state of a workload's probe.
func (c *Controller) observations(workload *v1beta1.ExternalWorkload) *record {
	c.mu.Lock()
	defer c.mu.Unlock()
	current := c.records[cache.MetaObjectToName(workload)]
	if current == nil || current.uid != workload.UID {
		return nil
	}
	copied := *current
	copied.targets = slices.Clone(current.targets)
	return &copied
}

func isReady(workload *v1beta1.ExternalWorkload) bool {
	return isTrue(workload.Status.Conditions, v1beta1.WorkloadReady)
}

func isTrue(conditions []v1beta1.WorkloadCondition, kind v1beta1.WorkloadConditionType) bool {
	found := find(conditions, kind)
	return found != nil && found.Status == v1beta1.ConditionTrue
}

// seedOf returns a number that differs between workloads and is stable.
func seedOf(workload *v1beta1.ExternalWorkload) uint64 {
	hash := fnv.New64a()
	// Writes to a hash never fail.
	_, _ = hash.Write([]byte(workload.UID))
	return hash.Sum64()
}
