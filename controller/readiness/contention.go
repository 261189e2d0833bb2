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
	// overwriteThreshold is the number of times that another writer may overwrite
	// Ready before it is taken for a second owner; fewer may be a manual edit.
	overwriteThreshold = 3
	// firstBackoff is the time for which the other value is left after that. It
	// doubles with each further write, up to lastBackoff.
	firstBackoff = time.Second
	lastBackoff  = 5 * time.Minute
	// quietPeriod is the time without an overwrite after which counting begins
	// again.
	quietPeriod = 15 * time.Minute
)

// contention is what is remembered of our writes of one workload's Ready, and of
// others that overwrite them.
type contention struct {
	uid types.UID
	// written is the status that we wrote last, over the object of this version.
	written v1beta1.ConditionStatus
	over    string
	// overwrites counts those since the last quiet period; the last was at last.
	overwrites int
	last       time.Time
	// until is when we write again.
	until time.Time
}

// wrote takes note of a write of ours.
func (c *contention) wrote(workload *v1beta1.ExternalWorkload, status v1beta1.ConditionStatus) {
	if c.uid != workload.UID {
		*c = contention{uid: workload.UID}
	}
	c.written, c.over = status, workload.ResourceVersion
}

// overwritten reports whether another writer has changed what we wrote last and still
// want. A cache that has not seen our write says nothing.
func (c *contention) overwritten(workload *v1beta1.ExternalWorkload, desired, actual v1beta1.ConditionStatus) bool {
	return c.uid == workload.UID && c.written == desired && actual != desired && c.over != workload.ResourceVersion
}

// count takes an overwrite into account that we are about to repair. It returns
// whether it is the first that cannot be an accident.
func (c *contention) count(now time.Time) (first bool) {
	if now.Sub(c.last) > quietPeriod {
		c.overwrites = 0
	}
	c.overwrites++
	c.last = now
	if further := c.overwrites - overwriteThreshold; further >= 0 {
		c.until = now.Add(min(firstBackoff<<min(further, 10), lastBackoff))
	}
	return c.overwrites == overwriteThreshold
}

// yieldReady is for how long Ready is left as another writer has written it. A
// change of what we want is never held back, only its repetition.
func (c *Controller) yieldReady(ctx context.Context, workload *v1beta1.ExternalWorkload, desired *condition) time.Duration {
	actual := find(workload.Status.Conditions, v1beta1.WorkloadReady)
	if desired == nil || actual == nil {
		return 0
	}
	now := c.config.Clock.Now()
	c.mu.Lock()
	remembered := c.contentions[cache.MetaObjectToName(workload)]
	if remembered == nil || !remembered.overwritten(workload, desired.status, actual.Status) {
		c.mu.Unlock()
		return 0
	}
	if left := remembered.until.Sub(now); left > 0 {
		c.mu.Unlock()
		return left
	}
	report := remembered.count(now)
	c.mu.Unlock()

	c.config.Observer.ReadyOverwritten()
	if report {
		c.reportContention(ctx, workload, desired, actual)
	}
	return 0
}

// noteWritten remembers the status that was written over a workload.
func (c *Controller) noteWritten(workload *v1beta1.ExternalWorkload, desired *condition) {
	if desired == nil {
		return
	}
	if actual := find(workload.Status.Conditions, v1beta1.WorkloadReady); actual != nil && actual.Status == desired.status {
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
	remembered.wrote(workload, desired.status)
}

// reportContention says who else writes Ready: to the workload's owner by an
// Event, to the operator by a line in the log.
func (c *Controller) reportContention(ctx context.Context, workload *v1beta1.ExternalWorkload, desired *condition, actual *v1beta1.WorkloadCondition) {
	manager := c.readyManager(ctx, workload)
	c.config.Events.Record(eventReadyConflict, workload, nil,
		"field manager %q sets the condition Ready to %s again and again, this controller to %s (%s): its value is left for longer and longer; remove the annotation, or stop the other writer",
		manager, actual.Status, desired.status, desired.reason)
	klog.FromContext(ctx).Error(nil, "Another writer overwrites the condition Ready; backing off", "fieldManager", manager, "workload", klog.KObj(workload))
}

// readyManager returns the field manager that wrote Ready last. The cache does not
// hold managedFields, so the API server is asked.
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
