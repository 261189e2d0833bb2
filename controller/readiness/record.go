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

// record is what is known of one workload's probe. All but health and moved is
// fixed.
type record struct {
	uid     types.UID
	spec    *probe.Spec
	problem *Problem
	health  health
	// moved is whether the target has changed, and the new one has not passed
	// its probe yet.
	moved bool
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
	next := &record{uid: workload.UID}
	var err error
	if next.spec, err = probe.Decode(annotation, workload, c.options); err != nil {
		next.problem = problemOf(err)
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	have := c.records[key]
	if have != nil && have.uid == next.uid {
		if reflect.DeepEqual(have.spec, next.spec) && reflect.DeepEqual(have.problem, next.problem) {
			have.health = have.health.stands(isReady(workload))
			return
		}
		next.health = have.health.anew()
	}
	if have != nil {
		next.moved = have.moved
		if !sameTarget(have, next) {
			next.moved = true
			c.forgetEvidence(key, have.spec)
		}
	}
	next.health = next.health.stands(isReady(workload))
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
	})
}

// sameTarget is whether both probe the same machine at the same address and port.
func sameTarget(a, b *record) bool {
	return a.uid == b.uid && a.spec != nil && b.spec != nil && a.spec.Targets[0] == b.spec.Targets[0]
}

// forget ends the probes of a workload.
func (c *Controller) forget(key cache.ObjectName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if have := c.records[key]; have != nil {
		c.forgetEvidence(key, have.spec)
		delete(c.records, key)
		c.schedule.Remove(key)
	}
}

// remember stores a report. It returns whether there is nothing to do about it.
func (c *Controller) remember(key cache.ObjectName, latest report) (known bool) {
	have, reported := c.reports[key]
	if reported && have.uid == latest.uid && slices.Equal(have.problems, latest.problems) {
		return true
	}
	if len(latest.problems) == 0 && !reported && !c.hasAccepted(key) {
		return true
	}
	latest.problems = slices.Clone(latest.problems)
	c.reports[key] = latest
	return false
}

// hasAccepted is whether the workload as cached has the condition Accepted.
func (c *Controller) hasAccepted(key cache.ObjectName) bool {
	workload := c.get(key)
	return workload != nil && find(workload.Status.Conditions, v1beta1.WorkloadAccepted) != nil
}

// known gathers all that is known of a workload beside the object.
func (c *Controller) known(workload *v1beta1.ExternalWorkload) knowledge {
	key := cache.MetaObjectToName(workload)
	c.mu.Lock()
	defer c.mu.Unlock()
	var known knowledge
	if have := c.records[key]; have != nil && have.uid == workload.UID {
		known.probe = &probeKnowledge{problem: have.problem, health: have.health}
	}
	if have, reported := c.reports[key]; reported && have.uid == workload.UID {
		known.reported, known.problems = true, have.problems
	}
	return known
}

func isReady(workload *v1beta1.ExternalWorkload) bool {
	ready := find(workload.Status.Conditions, v1beta1.WorkloadReady)
	return ready != nil && ready.Status == v1beta1.ConditionTrue
}

// seedOf is a number that differs from workload to workload and stays.
func seedOf(workload *v1beta1.ExternalWorkload) uint64 {
	hash := fnv.New64a()
	// Writing to a hash never fails.
	_, _ = hash.Write([]byte(workload.UID))
	return hash.Sum64()
}
