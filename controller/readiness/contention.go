package readiness

import (
	"cmp"
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/external-workload/controller/controller/readiness/declaration"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

const (
	// overwriteThreshold is the number of times that another writer may overwrite Ready
	// before it counts as a second owner; fewer may be a manual edit.
	overwriteThreshold = 3
	// firstBackoff is how long the other value stays after that. It doubles with each
	// further overwrite, up to lastBackoff.
	firstBackoff = time.Second
	lastBackoff  = 5 * time.Minute
	// quietPeriod is the time without an overwrite after which the count is reset.
	quietPeriod = 15 * time.Minute
)

// contention is the state of our writes of one workload's Ready, and of other writers
// that overwrite them.
type contention struct {
	uid types.UID
	// status and reason are those that we wrote last, and over is the version of the
	// object that they were computed from. Two writers who agree on the status would
	// fight about the reason as fast.
	status v1beta1.ConditionStatus
	reason string
	over   string
	// overwrites is the number since the last quiet period; last is when the latest was
	// observed.
	overwrites int
	last       time.Time
	// counted is the version of the object in which the latest was observed: a repair
	// that fails is tried again, which is no other overwrite.
	counted string
	// until is when we write again.
	until time.Time
}

// wrote records a write of ours.
func (c *contention) wrote(workload *v1beta1.ExternalWorkload, written *condition) {
	if c.uid != workload.UID {
		*c = contention{uid: workload.UID}
	}
	c.status, c.reason, c.over = written.status, written.reason, workload.ResourceVersion
}

// overwritten reports whether another writer has changed what we wrote last and still
// desire. A cache that lacks our write does not count, nor does a version that has been
// counted.
func (c *contention) overwritten(workload *v1beta1.ExternalWorkload, desired *condition, actual *v1beta1.WorkloadCondition) bool {
	return c.uid == workload.UID && c.status == desired.status && c.reason == desired.reason &&
		!desired.agrees(actual) && c.over != workload.ResourceVersion && c.counted != workload.ResourceVersion
}

// count counts an overwrite that is about to be repaired, in a version of the object. It
// reports whether the count has just reached the threshold.
func (c *contention) count(version string, now time.Time) (first bool) {
	if now.Sub(c.last) > quietPeriod {
		c.overwrites = 0
	}
	c.overwrites++
	c.last, c.counted = now, version
	if further := c.overwrites - overwriteThreshold; further >= 0 {
		c.until = now.Add(min(firstBackoff<<min(further, 10), lastBackoff))
	}
	return c.overwrites == overwriteThreshold
}

// yieldReady returns how long the other writer's Ready stays. Only a repetition of our
// last status and reason is delayed, never a change of them.
func (c *Controller) yieldReady(ctx context.Context, workload *v1beta1.ExternalWorkload, desired *condition) time.Duration {
	actual := find(workload.Status.Conditions, v1beta1.WorkloadReady)
	if desired == nil || actual == nil {
		return 0
	}
	now := c.config.Clock.Now()
	c.mu.Lock()
	remembered := c.contentions[cache.MetaObjectToName(workload)]
	if remembered == nil || !remembered.overwritten(workload, desired, actual) {
		c.mu.Unlock()
		return 0
	}
	if left := remembered.until.Sub(now); left > 0 {
		c.mu.Unlock()
		return left
	}
	report := remembered.count(workload.ResourceVersion, now)
	c.mu.Unlock()

	c.config.Observer.ReadyOverwritten()
	if report {
		c.reportContention(ctx, workload, desired, actual)
	}
	return 0
}

// noteWritten records the status and reason that were written.
func (c *Controller) noteWritten(workload *v1beta1.ExternalWorkload, desired *condition) {
	if desired == nil {
		return
	}
	if actual := find(workload.Status.Conditions, v1beta1.WorkloadReady); actual != nil && desired.agrees(actual) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	key := cache.MetaObjectToName(workload)
	remembered := c.contentions[key]
	if remembered == nil {
		remembered = &contention{}
		c.contentions[key] = remembered
	}
	remembered.wrote(workload, desired)
}

// reportContention reports the other writer of Ready: to the workload's owner by an
// Event, to the operator by a log line.
func (c *Controller) reportContention(ctx context.Context, workload *v1beta1.ExternalWorkload, desired *condition, actual *v1beta1.WorkloadCondition) {
	manager := c.readyManager(ctx, workload)
	c.config.Events.Record(eventReadyConflict, workload, nil,
		"field manager %q sets the condition Ready to %s again and again, this controller to %s (%s): its value is left for longer and longer; remove the annotation, or stop the other writer",
		manager, actual.Status, desired.status, desired.reason)
	klog.FromContext(ctx).Error(nil, "Another writer overwrites the condition Ready; backing off", "fieldManager", manager, "workload", klog.KObj(workload))
}

// readyManager returns the field manager that wrote Ready last. It reads the object
// from the API server, because the cache has no managedFields.
func (c *Controller) readyManager(ctx context.Context, workload *v1beta1.ExternalWorkload) string {
	const unknown = "unknown"
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	current, err := c.config.Client.WorkloadV1beta1().ExternalWorkloads(workload.Namespace).Get(ctx, workload.Name, metav1.GetOptions{})
	if err != nil {
		return unknown
	}
	return cmp.Or(declaration.ReadyManager(current), unknown)
}
