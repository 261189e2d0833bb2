package main

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/desired"
)

// Reasons of conditions that the controller writes for a declaration.
const (
	reasonDeclared     = "Declared"
	reasonInvalidReady = "InvalidReady"
)

// inlineReady returns the status of the condition Ready in a manifest; empty if it has
// none or contradicts itself.
func inlineReady(manifest *v1beta1.ExternalWorkload) string {
	status := ""
	for _, c := range manifest.Status.Conditions {
		switch {
		case c.Type != v1beta1.WorkloadReady:
		case status != "" && status != string(c.Status):
			return ""
		default:
			status = string(c.Status)
		}
	}
	return status
}

// declare sets the conditions that the controller writes for a workload's declaration:
// its annotation, or else the condition Ready in its manifest, if inline is not empty. A
// declaration that cannot be read does not change Ready.
func declare(w *v1beta1.ExternalWorkload, inline string, options desired.Options) {
	value, declared := w.Annotations[v1beta1.ReadyAnnotation]
	origin, message := "the annotation "+v1beta1.ReadyAnnotation, ""
	if !declared {
		value, declared = inline, inline != ""
		origin = "the condition in the manifest"
		message = "declared by " + origin
	}
	if _, probed := w.Annotations[v1beta1.ProbeAnnotation]; !declared || probed || options.IgnoreProbes {
		return
	}
	status, ok, withdraws := v1beta1.ParseDeclaration(value)
	if ok {
		w.Status.Conditions = slices.DeleteFunc(w.Status.Conditions, func(c v1beta1.WorkloadCondition) bool {
			return c.Type == v1beta1.WorkloadAccepted && c.Reason == reasonInvalidReady
		})
	} else {
		setCondition(w, v1beta1.WorkloadCondition{
			Type: v1beta1.WorkloadAccepted, Status: v1beta1.ConditionFalse, Reason: reasonInvalidReady,
			Message: v1beta1.InvalidDeclaration(value, origin),
		}, options)
	}
	if ok || withdraws {
		setCondition(w, v1beta1.WorkloadCondition{Type: v1beta1.WorkloadReady, Status: status, Reason: reasonDeclared, Message: message}, options)
	}
}

// setCondition replaces the conditions of a type. Only a changed status is a transition.
func setCondition(w *v1beta1.ExternalWorkload, c v1beta1.WorkloadCondition, options desired.Options) {
	if at := slices.IndexFunc(w.Status.Conditions, isType(c.Type)); at >= 0 {
		before := &w.Status.Conditions[at]
		c.LastTransitionTime = metav1.NewTime(options.Now)
		if before.Status == c.Status {
			c.LastTransitionTime = before.LastTransitionTime
		}
	}
	w.Status.Conditions = append(slices.DeleteFunc(w.Status.Conditions, isType(c.Type)), c)
}

func isType(kind v1beta1.WorkloadConditionType) func(v1beta1.WorkloadCondition) bool {
	return func(c v1beta1.WorkloadCondition) bool { return c.Type == kind }
}
