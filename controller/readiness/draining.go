package readiness

import (
	"slices"
	"time"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// Reasons of the condition Draining.
const (
	// ReasonDrainRequested: the annotation asks for it.
	ReasonDrainRequested = "DrainRequested"
	// ReasonDeleting: the object is being deleted, and a finalizer keeps it.
	ReasonDeleting = "Deleting"
)

// decideDraining returns the desired condition Draining: True while the workload is
// drained, and absent otherwise.
func decideDraining(workload *v1beta1.ExternalWorkload) *condition {
	switch {
	case workload.DeletionTimestamp != nil:
		return &condition{
			kind: v1beta1.WorkloadDraining, status: v1beta1.ConditionTrue, reason: ReasonDeleting,
			message: "the object is being deleted",
		}
	case workload.Drained():
		return &condition{
			kind: v1beta1.WorkloadDraining, status: v1beta1.ConditionTrue, reason: ReasonDrainRequested,
			message: "requested by the annotation " + v1beta1.DrainAnnotation,
		}
	}
	return nil
}

// mergeDraining merges the condition Draining into a workload's conditions. One with
// another reason belongs to another writer, and stays until the workload is drained.
func mergeDraining(conditions []v1beta1.WorkloadCondition, draining *condition, now time.Time) (merged []v1beta1.WorkloadCondition, differs bool) {
	if draining != nil {
		return set(conditions, draining, now, never)
	}
	before := len(conditions)
	conditions = slices.DeleteFunc(conditions, isOurDraining)
	return conditions, len(conditions) != before
}

func isOurDraining(c v1beta1.WorkloadCondition) bool {
	return c.Type == v1beta1.WorkloadDraining && (c.Reason == ReasonDrainRequested || c.Reason == ReasonDeleting)
}
