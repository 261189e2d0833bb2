package readiness

import (
	"hash/fnv"
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"github.com/external-workload/controller/controller/readiness/probe"
	"github.com/external-workload/controller/controller/readiness/schedule"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// record is what is known of one workload's probe. All but the health of its
// targets is fixed.
type record struct {
	uid types.UID
	// spec is nil where problem says why the annotation cannot be followed.
	spec    *probe.Spec
	problem *Problem
	// targets are those of spec, in the same order.
	targets []target
	// refused are the families of which no address may be probed.
	refused []refusal
}

// newRecord reads the probe of a workload, of which nothing is known yet.
func newRecord(workload *v1beta1.ExternalWorkload, annotation string, options probe.Options) *record {
	made := &record{uid: workload.UID}
	var err error
	if made.spec, err = probe.Decode(annotation, workload, options); err != nil {
		made.problem = problemOf(err)
		return made
	}
	made.targets, made.refused = targetsOf(workload, made.spec), refusalsOf(made.spec)
	return made
}

// sameProbe reports whether both ask the same targets in the same way.
func (r *record) sameProbe(other *record) bool {
	return r.uid == other.uid && reflect.DeepEqual(r.spec, other.spec) && reflect.DeepEqual(r.problem, other.problem) &&
		slices.EqualFunc(r.targets, other.targets, target.same)
}

// inherit takes over what is known of targets that both ask. The way in which
// they are asked has changed, so that the counts begin again.
func (r *record) inherit(from *record) {
	for i := range r.targets {
		for _, known := range from.targets {
			if r.targets[i].same(known) {
				r.targets[i].health = known.health.resetForNewProbe()
			}
		}
	}
}

// adoptConditions takes over what the workload's conditions say of its targets,
// as far as probes have decided nothing.
func (r *record) adoptConditions(workload *v1beta1.ExternalWorkload) {
	ready := isReady(workload)
	for i := range r.targets {
		t := &r.targets[i]
		t.health = t.health.adoptCondition(ready && t.provenBy(workload.Status.Conditions))
	}
}

// probed reports whether any target has answered or failed since the probe was set.
func (r *record) probed() bool {
	return slices.ContainsFunc(r.targets, func(t target) bool { return !t.health.probed.IsZero() })
}

// follow makes the probe of a workload the one that its annotation says. What
// is unchanged goes on as it was. initial is true for workloads that were there
// when the controller started: their first probes are spread.
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

// forgetLost drops the evidence of targets that are not asked any more.
func (c *Controller) forgetLost(key cache.ObjectName, before, next *record) {
	for _, t := range before.targets {
		if next == nil || !slices.ContainsFunc(next.targets, t.same) {
			c.forgetEvidence(key, t)
		}
	}
}

// forget ends the probes of a workload.
func (c *Controller) forget(key cache.ObjectName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if before := c.records[key]; before != nil {
		c.forgetLost(key, before, nil)
		delete(c.records, key)
		c.schedule.Remove(key)
	}
}

// observations returns all that is known of a workload beside the object.
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
	ready := find(workload.Status.Conditions, v1beta1.WorkloadReady)
	return ready != nil && ready.Status == v1beta1.ConditionTrue
}

// seedOf returns a number that differs from workload to workload and stays.
func seedOf(workload *v1beta1.ExternalWorkload) uint64 {
	hash := fnv.New64a()
	// Writing to a hash never fails.
	_, _ = hash.Write([]byte(workload.UID))
	return hash.Sum64()
}
