package readiness

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/desired"
)

// familyConditions are the conditions of the address families.
var familyConditions = []v1beta1.WorkloadConditionType{v1beta1.WorkloadReadyIPv4, v1beta1.WorkloadReadyIPv6}

// decideProbed returns the desired conditions of a probed workload. observed is nil
// until its annotation was decoded.
func decideProbed(workload *v1beta1.ExternalWorkload, observed *record) (decision, []Problem) {
	switch {
	case observed == nil:
		return decision{}, nil
	case observed.withoutAddress():
		return decideWithoutAddress(workload, *observed.problem), nil
	case observed.problem != nil:
		return decideUnprobed(workload, *observed.problem), []Problem{*observed.problem}
	}
	var (
		decided  decision
		problems []Problem
		there    []v1beta1.WorkloadConditionType
	)
	for _, t := range observed.targets {
		if t.health.refused != "" {
			problems = append(problems, Problem{Reason: ReasonProbeAddressRefused, Message: t.health.refused})
		}
		for _, p := range t.proofs {
			there = append(there, p.condition)
			decided.addFamily(decideFamily(t, p, find(workload.Status.Conditions, p.condition)))
		}
	}
	for _, r := range observed.refused {
		there = append(there, r.proof.condition)
		problems = append(problems, Problem{Reason: ReasonProbeAddressRefused, Message: r.message})
		decided.addFamily(decideRefused(workload, r))
	}
	for _, kind := range familyConditions {
		if !slices.Contains(there, kind) {
			decided.remove = append(decided.remove, kind)
		}
	}
	decided.ready = decideReady(workload, observed, decided)
	return decided, problems
}

// decideFamily returns the desired condition of one family; nil does not change it.
// found is the actual condition.
func decideFamily(t target, p proof, found *v1beta1.WorkloadCondition) *condition {
	health := t.health
	stale := found != nil && found.Status == v1beta1.ConditionTrue && found.Message != p.message
	replace := stale || mayReplace(found, t)
	switch {
	case health.refused != "" && (found == nil || replace):
		return &condition{kind: p.condition, status: v1beta1.ConditionFalse, reason: ReasonProbeAddressRefused, message: health.refused}
	case health.refused != "", !health.decided && !replace:
		return nil
	case !health.decided && (stale || found.Reason == ReasonAddressChanged):
		return &condition{kind: p.condition, status: v1beta1.ConditionFalse, reason: ReasonAddressChanged, message: notYetPassed(t)}
	case !health.decided:
		return &condition{kind: p.condition, status: v1beta1.ConditionFalse, reason: ReasonProbePending, message: notYetPassed(t)}
	case health.ready:
		return &condition{kind: p.condition, status: v1beta1.ConditionTrue, reason: ReasonProbeSucceeded, message: p.message, probed: health.probed, quiet: true}
	default:
		return &condition{kind: p.condition, status: v1beta1.ConditionFalse, reason: ReasonProbeFailed, message: health.message, probed: health.probed, lazy: true}
	}
}

// decideRefused returns the desired condition of a family whose address may not be
// probed. A proof from before stays valid, as long as the probe has the same port.
func decideRefused(workload *v1beta1.ExternalWorkload, r refusal) *condition {
	if r.proof.isIn(workload.Status.Conditions) {
		return nil
	}
	return &condition{kind: r.proof.condition, status: v1beta1.ConditionFalse, reason: ReasonProbeAddressRefused, message: r.message}
}

// decideUnprobed returns the desired conditions while the annotation cannot be
// followed: proofs of the current addresses stay valid.
func decideUnprobed(workload *v1beta1.ExternalWorkload, problem Problem) decision {
	var decided decision
	proven := false
	for _, family := range families {
		found := find(workload.Status.Conditions, v1beta1.ReadyIn(family))
		switch {
		case found != nil && !hasAddressIn(workload, family):
			decided.remove = append(decided.remove, found.Type)
		case found == nil || found.Status != v1beta1.ConditionTrue && !mayReplace(found):
		case found.Proves(desired.Address(workload.Spec.WorkloadIPs, family), workload.UID):
			proven = true
		default:
			decided.addFamily(&condition{kind: found.Type, status: v1beta1.ConditionFalse, reason: problem.Reason, message: problem.Message})
		}
	}
	switch ready := find(workload.Status.Conditions, v1beta1.WorkloadReady); {
	case !proven && mayReplaceReady(workload):
		decided.ready = &condition{kind: v1beta1.WorkloadReady, status: v1beta1.ConditionFalse, reason: problem.Reason, message: problem.Message}
	case proven && ready != nil && ready.Status == v1beta1.ConditionTrue && ready.Reason == ReasonProbeHeld:
		// Nothing is probed, so no probe fails, and no end of the hold corrects this.
		decided.ready = &condition{kind: v1beta1.WorkloadReady, status: v1beta1.ConditionTrue, reason: ReasonProbeSucceeded}
	}
	return decided
}

// decideWithoutAddress returns the desired conditions of a probed workload that has no
// address. It is not an error: an invited machine sets its address when it registers.
// Publishing records that a Service selects it in vain.
func decideWithoutAddress(workload *v1beta1.ExternalWorkload, problem Problem) decision {
	decided := decision{remove: familyConditions}
	if mayReplaceReady(workload) {
		decided.ready = &condition{kind: v1beta1.WorkloadReady, status: v1beta1.ConditionFalse, reason: problem.Reason, message: problem.Message}
	}
	return decided
}

// decideReady returns the desired Ready: True if at least one family is. It does not
// change if probes have decided nothing that affects it. decided has the families.
func decideReady(workload *v1beta1.ExternalWorkload, observed *record, decided decision) *condition {
	passed, failed, open := sortTargets(observed)
	switch {
	case passed != nil && passed.health.held:
		return &condition{
			kind: v1beta1.WorkloadReady, status: v1beta1.ConditionTrue, reason: ReasonProbeHeld,
			message: passed.health.failure, probed: lastProbed(observed), lazy: true,
		}
	case passed != nil:
		return &condition{
			kind: v1beta1.WorkloadReady, status: v1beta1.ConditionTrue, reason: ReasonProbeSucceeded,
			message: passed.health.message, probed: lastProbed(observed), lazy: true,
		}
	case anyTrue(workload.Status.Conditions, decided):
		return nil
	case len(failed) > 0:
		return &condition{
			kind: v1beta1.WorkloadReady, status: v1beta1.ConditionFalse, reason: ReasonProbeFailed,
			message: failureMessage(failed), probed: lastProbed(observed), lazy: true,
		}
	}
	return decideOpen(workload, observed, open, decided)
}

// sortTargets separates targets that probes have decided from the others.
func sortTargets(observed *record) (passed *target, failed, open []target) {
	for i := range observed.targets {
		t := &observed.targets[i]
		switch {
		case t.health.refused == "" && (t.health.decided && t.health.ready || t.health.held):
			if passed == nil || passed.health.held {
				passed = t
			}
		case t.health.decided && t.health.refused == "":
			failed = append(failed, *t)
		default:
			open = append(open, *t)
		}
	}
	return passed, failed, open
}

// decideOpen returns the desired Ready while no family has passed and probes have
// decided none. A new workload has no condition before that.
func decideOpen(workload *v1beta1.ExternalWorkload, observed *record, open []target, decided decision) *condition {
	conditions := workload.Status.Conditions
	pending := func(c *condition) bool { return c.reason == ReasonAddressChanged }
	withdrawn := func(c *condition) bool { return pending(c) && isTrue(conditions, c.kind) }
	found := find(conditions, v1beta1.WorkloadReady)
	// A change that is already recorded says nothing new: what Ready got meanwhile stays.
	if found == nil || !slices.ContainsFunc(decided.families, withdrawn) && !mayReplaceReady(workload, open...) {
		return nil
	}
	reason := ReasonProbePending
	switch allowed := slices.ContainsFunc(open, func(t target) bool { return t.health.refused == "" }); {
	case !allowed && len(open)+len(observed.refused) > 0:
		reason = ReasonProbeAddressRefused
	case slices.ContainsFunc(decided.families, pending) || leftFamily(conditions, decided) || found.Reason == ReasonAddressChanged:
		reason = ReasonAddressChanged
	}
	return &condition{kind: v1beta1.WorkloadReady, status: v1beta1.ConditionFalse, reason: reason, message: openMessage(observed, open)}
}

// openMessage says for each target why it is not ready.
func openMessage(observed *record, open []target) string {
	var messages []string
	for _, t := range open {
		if t.health.refused != "" {
			messages = append(messages, t.health.refused)
		} else {
			messages = append(messages, notYetPassed(t))
		}
	}
	for _, r := range observed.refused {
		messages = append(messages, r.message)
	}
	return clip(strings.Join(messages, "; "))
}

// anyTrue reports whether a family is True after the decision.
func anyTrue(conditions []v1beta1.WorkloadCondition, decided decision) bool {
	for _, kind := range familyConditions {
		at := slices.IndexFunc(decided.families, func(c *condition) bool { return c.kind == kind })
		if at >= 0 && decided.families[at].status == v1beta1.ConditionTrue {
			return true
		}
		if at < 0 && !slices.Contains(decided.remove, kind) && isTrue(conditions, kind) {
			return true
		}
	}
	return false
}

// leftFamily reports whether the workload was ready in a family in which it has no
// address any more.
func leftFamily(conditions []v1beta1.WorkloadCondition, decided decision) bool {
	return slices.ContainsFunc(decided.remove, func(kind v1beta1.WorkloadConditionType) bool { return isTrue(conditions, kind) })
}

// failureMessage returns the common message of failed targets, or one of each.
func failureMessage(failed []target) string {
	same := !slices.ContainsFunc(failed, func(t target) bool { return t.health.message != failed[0].health.message })
	if same {
		return failed[0].health.message
	}
	var messages []string
	for _, t := range failed {
		messages = append(messages, fmt.Sprintf("%s: %s", t.Family, t.health.message))
	}
	return clip(strings.Join(messages, "; "))
}

func notYetPassed(t target) string {
	return fmt.Sprintf("the probe has not passed yet at %s", t)
}

// lastProbed returns when the last probe of any target ended.
func lastProbed(observed *record) (last time.Time) {
	for _, t := range observed.targets {
		if t.health.probed.After(last) {
			last = t.health.probed
		}
	}
	return last
}
