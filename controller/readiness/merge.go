package readiness

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// find returns the condition of a type; nil if there is none.
func find(conditions []v1beta1.WorkloadCondition, kind v1beta1.WorkloadConditionType) *v1beta1.WorkloadCondition {
	for i := range conditions {
		if conditions[i].Type == kind {
			return &conditions[i]
		}
	}
	return nil
}

// merge merges a decision into a workload's conditions. It returns a new list, in which
// conditions of other types and their positions do not change, and reports whether the
// difference is worth a write. due is true if lastProbeTime is old enough to be written
// alone.
func merge(conditions []v1beta1.WorkloadCondition, decided decision, now time.Time, due func(lastProbe time.Time) bool) (merged []v1beta1.WorkloadCondition, differs bool) {
	merged = slices.Clone(conditions)
	for _, desired := range slices.Concat([]*condition{decided.ready}, decided.families, []*condition{decided.accepted}) {
		if desired != nil {
			changed := false
			merged, changed = set(merged, desired, now, due)
			differs = differs || changed
		}
	}
	before := len(merged)
	merged = slices.DeleteFunc(merged, func(c v1beta1.WorkloadCondition) bool { return slices.Contains(decided.remove, c.Type) })
	differs = differs || len(merged) != before
	merged, drainingDiffers := mergeDraining(merged, decided.draining, now)
	differs = differs || drainingDiffers
	if differs {
		refreshFamilies(merged, decided.families)
	}
	return merged, differs
}

// refreshFamilies sets the time of the last probe, and a message that can wait, in
// conditions that are written anyway. So the families of a ready workload are refreshed
// with Ready, and cause no write.
func refreshFamilies(merged []v1beta1.WorkloadCondition, families []*condition) {
	for _, desired := range families {
		if actual := find(merged, desired.kind); actual != nil {
			desired.into(actual)
		}
	}
}

// set sets one condition in the list. A list that was stored under a definition without
// list keys may have several of a type: the first is kept, and the others are removed,
// because readers might use them.
func set(conditions []v1beta1.WorkloadCondition, desired *condition, now time.Time, due func(time.Time) bool) ([]v1beta1.WorkloadCondition, bool) {
	actual := find(conditions, desired.kind)
	if actual == nil {
		added := v1beta1.WorkloadCondition{Type: desired.kind, LastTransitionTime: metav1.NewTime(now)}
		desired.into(&added)
		return append(conditions, added), true
	}
	kept, seen := len(conditions), false
	conditions = slices.DeleteFunc(conditions, func(c v1beta1.WorkloadCondition) bool {
		again := c.Type == desired.kind && seen
		seen = seen || c.Type == desired.kind
		return again
	})
	actual = find(conditions, desired.kind)
	if kept == len(conditions) && !desired.differs(actual, due) {
		return conditions, false
	}
	if actual.Status != desired.status {
		actual.LastTransitionTime = metav1.NewTime(now)
	}
	desired.into(actual)
	return conditions, true
}

// never is the answer of due for conditions whose time alone is no reason for a write.
func never(time.Time) bool { return false }

// differs reports whether the condition is worth a write.
func (desired *condition) differs(actual *v1beta1.WorkloadCondition, due func(time.Time) bool) bool {
	if !desired.agrees(actual) {
		return true
	}
	if actual.Message != desired.message && !desired.lazy {
		return true
	}
	return !desired.quiet && !desired.probed.IsZero() && desired.probed.After(actual.LastProbeTime.Time) && due(actual.LastProbeTime.Time)
}

// agrees reports whether the actual condition has the same status and reason.
func (desired *condition) agrees(actual *v1beta1.WorkloadCondition) bool {
	return actual.Status == desired.status && actual.Reason == desired.reason
}

// into returns the condition as the successor of another of its type.
func (desired *condition) into(actual *v1beta1.WorkloadCondition) {
	actual.Status, actual.Reason, actual.Message = desired.status, desired.reason, desired.message
	if !desired.probed.IsZero() {
		actual.LastProbeTime = metav1.NewTime(desired.probed)
	}
}

// refreshDue reports whether a lastProbeTime has to be written again: after one to two
// refresh intervals, depending on seed. This spreads the writes of workloads that were
// first probed at the same time.
func refreshDue(lastProbe, now time.Time, refresh time.Duration, seed uint64) bool {
	spread := time.Duration(seed % uint64(refresh))
	return now.Sub(lastProbe) >= refresh+spread
}
