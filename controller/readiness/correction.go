package readiness

import (
	"fmt"
	"slices"
	"time"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// correction is one change that a decision makes to the actual conditions: what the
// condition of a type is to be. A change of only the message is one if it is urgent, and
// duplicates of a type are too, because other writers cause both.
type correction struct {
	kind v1beta1.WorkloadConditionType
	// status is empty if there is to be no condition.
	status          v1beta1.ConditionStatus
	reason, message string
}

// String says what this project does with the condition.
func (c correction) String() string {
	if c.status == "" {
		return "removes"
	}
	return fmt.Sprintf("sets to %s (%s)", c.status, c.reason)
}

// withdrawsProof reports whether a family is True, and is to be something else. A family
// that is removed has no address.
func (c correction) withdrawsProof(actual []v1beta1.WorkloadCondition) bool {
	return slices.Contains(familyConditions, c.kind) && c.status != "" && c.status != v1beta1.ConditionTrue && isTrue(actual, c.kind)
}

// corrections returns the changes of a decision, Ready first. The time of a probe is
// none.
func (d *decision) corrections(actual []v1beta1.WorkloadCondition) []correction {
	var found []correction
	for _, desired := range slices.Concat([]*condition{d.ready}, d.families, []*condition{d.accepted, d.draining}) {
		if desired != nil && desired.corrects(actual) {
			found = append(found, desired.correction())
		}
	}
	for _, kind := range d.remove {
		if find(actual, kind) != nil {
			found = append(found, correction{kind: kind})
		}
	}
	if d.draining == nil && slices.ContainsFunc(actual, isOurDraining) {
		found = append(found, correction{kind: v1beta1.WorkloadDraining})
	}
	return found
}

func (desired *condition) corrects(actual []v1beta1.WorkloadCondition) bool {
	_, changes := set(slices.Clone(actual), desired, time.Time{}, never)
	return changes
}

func (desired *condition) correction() correction {
	made := correction{kind: desired.kind, status: desired.status, reason: desired.reason, message: desired.message}
	if desired.lazy {
		made.message = ""
	}
	return made
}

// without returns the decision without corrections: it leaves their types of conditions
// as they are.
func (d decision) without(left []correction, actual []v1beta1.WorkloadCondition) decision {
	isLeft := func(kind v1beta1.WorkloadConditionType) bool {
		return slices.ContainsFunc(left, func(c correction) bool { return c.kind == kind })
	}
	if isLeft(v1beta1.WorkloadReady) {
		d.ready = nil
	}
	if isLeft(v1beta1.WorkloadAccepted) {
		d.accepted = nil
	}
	if isLeft(v1beta1.WorkloadDraining) {
		d.draining = asFound(find(actual, v1beta1.WorkloadDraining))
	}
	d.families = slices.DeleteFunc(slices.Clone(d.families), func(c *condition) bool { return isLeft(c.kind) })
	d.remove = slices.DeleteFunc(slices.Clone(d.remove), isLeft)
	return d
}

// asFound returns a condition as desired; nil if there is none.
func asFound(found *v1beta1.WorkloadCondition) *condition {
	if found == nil {
		return nil
	}
	return &condition{kind: found.Type, status: found.Status, reason: found.Reason, message: found.Message}
}
