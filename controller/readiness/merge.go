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
	if decided.ready != nil {
		merged, differs = set(merged, decided.ready, now, due)
	}
	if decided.accepted != nil {
		acceptedDiffers := false
		merged, acceptedDiffers = set(merged, decided.accepted, now, due)
		differs = differs || acceptedDiffers
	}
	if decided.clearAccepted {
		before := len(merged)
		merged = slices.DeleteFunc(merged, func(c v1beta1.WorkloadCondition) bool { return c.Type == v1beta1.WorkloadAccepted })
		differs = differs || len(merged) != before
	}
	merged, drainingDiffers := mergeDraining(merged, decided.draining, now)
	return merged, differs || drainingDiffers
}

// set puts one condition into the list. A list stored under a lax definition
// may have several of a type: the first is kept, and the others, which readers
// might take for it, go.
func set(conditions []v1beta1.WorkloadCondition, want *condition, now time.Time, due func(time.Time) bool) ([]v1beta1.WorkloadCondition, bool) {
	have := find(conditions, want.kind)
	if have == nil {
		added := v1beta1.WorkloadCondition{Type: want.kind, LastTransitionTime: metav1.NewTime(now)}
		want.into(&added)
		return append(conditions, added), true
	}
	kept, seen := len(conditions), false
	conditions = slices.DeleteFunc(conditions, func(c v1beta1.WorkloadCondition) bool {
		again := c.Type == want.kind && seen
		seen = seen || c.Type == want.kind
		return again
	})
	have = find(conditions, want.kind)
	if kept == len(conditions) && !want.differs(have, due) {
		return conditions, false
	}
	if have.Status != want.status {
		have.LastTransitionTime = metav1.NewTime(now)
	}
	want.into(have)
	return conditions, true
}

// differs is whether the condition is worth a write.
func (want *condition) differs(have *v1beta1.WorkloadCondition, due func(time.Time) bool) bool {
	if have.Status != want.status || have.Reason != want.reason {
		return true
	}
	if have.Message != want.message && !want.lazy {
		return true
	}
	return !want.probed.IsZero() && want.probed.After(have.LastProbeTime.Time) && due(have.LastProbeTime.Time)
}

// into writes the condition over another of its type.
func (want *condition) into(have *v1beta1.WorkloadCondition) {
	have.Status, have.Reason, have.Message = want.status, want.reason, want.message
	if !want.probed.IsZero() {
		have.LastProbeTime = metav1.NewTime(want.probed)
	}
}

// refreshDue is whether a lastProbeTime is to be written again: after once to
// twice the refresh time, which of it follows from seed. So the writes of many
// workloads that were probed for the first time together spread.
func refreshDue(lastProbe, now time.Time, refresh time.Duration, seed uint64) bool {
	spread := time.Duration(seed % uint64(refresh))
	return now.Sub(lastProbe) >= refresh+spread
}
