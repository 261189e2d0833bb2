package readiness

import (
	"cmp"
	"context"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/external-workload/controller/controller/readiness/declaration"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

const (
	// overwriteThreshold is the number of times that another writer may overwrite our
	// conditions before it counts as a second owner; fewer may be a manual edit.
	overwriteThreshold = 3
	// firstBackoff is how long the other value stays after that. It doubles with each
	// further overwrite, up to lastBackoff.
	firstBackoff = time.Second
	lastBackoff  = 5 * time.Minute
	// quietPeriod is the time without an overwrite after which the count is reset.
	quietPeriod = 15 * time.Minute
)

// contention is the state of our writes of one workload's conditions, and of other
// writers that overwrite them.
type contention struct {
	uid types.UID
	// written has what we wrote last of each type, and over is the version of the object
	// that it was computed from. It is a list, because a map would take four times as much
	// memory, for each probed workload.
	written []correction
	over    string
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
func (c *contention) wrote(workload *v1beta1.ExternalWorkload, corrections []correction) {
	if c.uid != workload.UID {
		*c = contention{uid: workload.UID}
	}
	for _, made := range corrections {
		c.written = slices.DeleteFunc(c.written, func(earlier correction) bool { return earlier.kind == made.kind })
		c.written = append(c.written, made)
	}
	c.over = workload.ResourceVersion
}

// overwritten reports whether all corrections repeat what we wrote last, so that another
// writer has changed it. A cache that lacks our write does not count, nor does a version
// that has been counted.
func (c *contention) overwritten(workload *v1beta1.ExternalWorkload, corrections []correction) bool {
	isUrgent := func(wanted correction) bool {
		return !slices.Contains(c.written, wanted) || wanted.withdrawsProof(workload.Status.Conditions)
	}
	return c.uid == workload.UID && c.over != workload.ResourceVersion && c.counted != workload.ResourceVersion &&
		len(corrections) > 0 && !slices.ContainsFunc(corrections, isUrgent)
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

// yield returns how long the other writer's conditions stay. Only a repetition of what we
// wrote last is delayed, never a change of it, nor the withdrawal of a proof: a probed
// address must not get traffic because another writer insists.
func (c *Controller) yield(ctx context.Context, workload *v1beta1.ExternalWorkload, corrections []correction) time.Duration {
	now := c.config.Clock.Now()
	c.mu.Lock()
	remembered := c.contentions[cache.MetaObjectToName(workload)]
	if remembered == nil || !remembered.overwritten(workload, corrections) {
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
		c.reportContention(ctx, workload, corrections[0])
	}
	return 0
}

// noteWritten records what was written.
func (c *Controller) noteWritten(workload *v1beta1.ExternalWorkload, corrections []correction) {
	if len(corrections) == 0 {
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
	remembered.wrote(workload, corrections)
}

// reportContention reports the other writer of a condition: to the workload's owner by
// an Event, to the operator by a log line.
func (c *Controller) reportContention(ctx context.Context, workload *v1beta1.ExternalWorkload, repeated correction) {
	manager := c.otherManager(ctx, workload, repeated.kind)
	c.config.Events.Record(eventReadyConflict, workload, nil,
		"field manager %q changes the condition %s again and again, which this controller %s: its value is left for longer and longer; stop the other writer, or remove the annotation",
		manager, repeated.kind, repeated)
	klog.FromContext(ctx).Error(nil, "Another writer overwrites a condition; backing off", "fieldManager", manager, "condition", repeated.kind, "workload", klog.KObj(workload))
}

// otherManager returns the field manager that wrote a condition last. It reads the object
// from the API server, because the cache has no managedFields: as a list, since the
// controller may list workloads, but not get them.
func (c *Controller) otherManager(ctx context.Context, workload *v1beta1.ExternalWorkload, kind v1beta1.WorkloadConditionType) string {
	const unknown = "unknown"
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	named := metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, workload.Name).String()}
	found, err := c.config.Client.WorkloadV1beta1().ExternalWorkloads(workload.Namespace).List(ctx, named)
	if err != nil {
		klog.FromContext(ctx).Info("Could not find out who overwrites a condition", "err", err, "workload", klog.KObj(workload))
		return unknown
	}
	for i := range found.Items {
		current := &found.Items[i]
		if current.UID != workload.UID {
			continue
		}
		if kind == v1beta1.WorkloadReady {
			return cmp.Or(declaration.ReadyManager(current), declaration.OtherManager(current), unknown)
		}
		return cmp.Or(declaration.OtherManager(current), unknown)
	}
	return unknown
}
