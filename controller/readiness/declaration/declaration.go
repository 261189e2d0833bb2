// Package declaration finds the Ready condition that a workload's manifest declares.
//
// Status is a subresource, so the API server drops an inline condition from a manifest.
// It survives in two other places: kubectl apply and Argo CD store the whole manifest
// in an annotation, and the chart's admission policy stores the condition's status in
// another annotation, for all other tools.
//
// The package is pure: the same object always has the same Declaration. A tenant writes
// its input, so its work is bounded.
package declaration

import (
	"cmp"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// FieldManager owns the conditions that this project writes.
const FieldManager = "external-workload-controller-readiness"

// Declaration is the readiness that the manifest of a workload declares.
type Declaration struct {
	// Status is the status of the inline condition Ready as written; empty if there is
	// none.
	Status string
	// OverruledBy is the field manager that has written the condition Ready since;
	// empty if the declaration applies.
	OverruledBy string
}

// Of returns the declaration of a workload as the API server stores it, with its
// managedFields.
//
// The admission policy's annotation is newer than the last kubectl apply, because the
// policy removes it when the applied manifest changes. A later writer of the condition
// takes precedence over the manifest, also if the order is unknown: a manifest says
// what its author expects, an agent what it observes.
func Of(workload *v1beta1.ExternalWorkload) Declaration {
	var declared time.Time
	status, kept := workload.Annotations[v1beta1.InlineReadyAnnotation]
	if !kept {
		if status = lastAppliedReady(workload); status == "" {
			return Declaration{}
		}
		declared = appliedAt(workload.ManagedFields)
	}
	return Declaration{Status: status, OverruledBy: laterWriter(workload, declared)}
}

// Digest reduces a workload's declaration to the annotations InlineReadyAnnotation and
// OverruledAnnotation, for a cache without manifests and managedFields. It is
// idempotent.
func Digest(workload *v1beta1.ExternalWorkload) {
	if workload.ManagedFields == nil && workload.Annotations[LastApplied] == "" {
		return // nothing is left to find out
	}
	declared := Of(workload)
	delete(workload.Annotations, v1beta1.InlineReadyAnnotation)
	delete(workload.Annotations, v1beta1.OverruledAnnotation)
	switch {
	case declared.Status == "":
	case declared.OverruledBy == "":
		metav1.SetMetaDataAnnotation(&workload.ObjectMeta, v1beta1.InlineReadyAnnotation, declared.Status)
	default:
		metav1.SetMetaDataAnnotation(&workload.ObjectMeta, v1beta1.OverruledAnnotation,
			fmt.Sprintf("the manifest declares Ready %s, but %s has written the condition since", declared.Status, declared.OverruledBy))
	}
}

// laterWriter returns the manager that has written the condition Ready after a time
// (zero: at any time), or empty if only this project has.
func laterWriter(workload *v1beta1.ExternalWorkload, declared time.Time) string {
	ready := readyOf(workload)
	if ready == nil {
		return ""
	}
	writer := readyWriter(workload.ManagedFields, ready.Reason)
	isEarlier := !writer.at.IsZero() && writer.at.Before(declared)
	if writer.manager == FieldManager || isEarlier {
		return ""
	}
	return cmp.Or(writer.manager, "an unknown manager")
}

func readyOf(workload *v1beta1.ExternalWorkload) *v1beta1.WorkloadCondition {
	for i := range workload.Status.Conditions {
		if c := &workload.Status.Conditions[i]; c.Type == v1beta1.WorkloadReady {
			return c
		}
	}
	return nil
}

// LastApplied is the annotation in which kubectl apply keeps the manifest.
const LastApplied = corev1.LastAppliedConfigAnnotation
