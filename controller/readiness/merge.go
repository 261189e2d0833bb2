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

// merge brings a decision into a workload's conditions. It returns a new list,
// in which the conditions of other types are as and where they were, and
// whether it differs from the old one in anything that is worth a write. due
// says whether lastProbeTime is old enough to be written for its own sake.
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
	return merged, differs || drainingDiffers
}

// set puts one condition into the list. A list stored under a lax definition
// may have several of a type: the first is kept, and the others, which readers
// might take for it, go.
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

// differs reports whether the condition is worth a write.
func (desired *condition) differs(actual *v1beta1.WorkloadCondition, due func(time.Time) bool) bool {
	if actual.Status != desired.status || actual.Reason != desired.reason {
		return true
	}
	if actual.Message != desired.message && !desired.lazy {
		return true
	}
	return !desired.probed.IsZero() && desired.probed.After(actual.LastProbeTime.Time) && due(actual.LastProbeTime.Time)
}

// into writes the condition over another of its type.
func (desired *condition) into(actual *v1beta1.WorkloadCondition) {
	actual.Status, actual.Reason, actual.Message = desired.status, desired.reason, desired.message
	if !desired.probed.IsZero() {
		actual.LastProbeTime = metav1.NewTime(desired.probed)
	}
}

// refreshDue reports whether a lastProbeTime is to be written again: after once to
// twice the refresh time, which of it follows from seed. So the writes of many
// workloads that were probed for the first time together spread.
func refreshDue(lastProbe, now time.Time, refresh time.Duration, seed uint64) bool {
	spread := time.Duration(seed % uint64(refresh))
	return now.Sub(lastProbe) >= refresh+spread
}
