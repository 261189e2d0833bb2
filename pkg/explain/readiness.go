package explain

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/desired"
)

// State is a workload's own state, independent of Services.
type State struct {
	Workload  string   `json:"workload"`
	Addresses []string `json:"addresses"`
	// Ready is the status of the condition Ready; Unknown if there is none.
	Ready string `json:"ready"`
	// Source is the source of the readiness: drain, deletion, probe, declaration or
	// other.
	Source string `json:"source"`
	Reason string `json:"reason,omitempty"`
	// Message is the condition's message.
	Message string `json:"message,omitempty"`
	// Since is when the state in Reason began: the transition of Ready, or the start of
	// the drain or deletion; nil if it is not known.
	Since *time.Time `json:"since,omitempty"`
}

// stateOf describes a workload.
func stateOf(object *v1beta1.ExternalWorkload, options desired.Options) State {
	state := State{Workload: object.Name, Addresses: []string{}, Ready: string(v1beta1.ConditionUnknown), Source: sourceOf(object, options)}
	for _, address := range object.Spec.WorkloadIPs {
		state.Addresses = append(state.Addresses, address.IP)
	}
	if ready := readyCondition(object); ready != nil {
		state.Ready, state.Reason, state.Message = string(ready.Status), ready.Reason, ready.Message
		state.Since = transitionOf(ready)
	}
	switch state.Source {
	case sourceDrain:
		state.Reason, state.Since = "Draining", DrainedSince(object)
	case sourceDeletion:
		state.Reason, state.Since = "Deleting", &object.DeletionTimestamp.Time
	}
	return state
}

// DrainedSince returns when the controller saw the drain of a workload; nil if it has not
// yet.
func DrainedSince(object *v1beta1.ExternalWorkload) *time.Time {
	draining := conditionOf(object, v1beta1.WorkloadDraining)
	if draining == nil || draining.Status != v1beta1.ConditionTrue {
		return nil
	}
	return transitionOf(draining)
}

// transitionOf returns when a condition last changed; nil if it does not say.
func transitionOf(c *v1beta1.WorkloadCondition) *time.Time {
	if c.LastTransitionTime.IsZero() {
		return nil
	}
	return &c.LastTransitionTime.Time
}

// The sources of readiness; the first one in this list that applies wins.
const (
	sourceDeletion    = "deletion"
	sourceDrain       = "drain"
	sourceProbe       = "probe"
	sourceDeclaration = "declaration"
	sourceOther       = "other"
)

func sourceOf(object *v1beta1.ExternalWorkload, options desired.Options) string {
	_, probed := object.Annotations[v1beta1.ProbeAnnotation]
	_, declared := object.Annotations[v1beta1.ReadyAnnotation]
	switch {
	case object.DeletionTimestamp != nil:
		return sourceDeletion
	case object.Annotations[v1beta1.DrainAnnotation] != "":
		return sourceDrain
	case options.IgnoreProbes:
		return sourceOther // the same setting disables declarations
	case probed:
		return sourceProbe
	case declared || declaredInManifest(object):
		return sourceDeclaration
	default:
		return sourceOther
	}
}

// declaredInManifest reports whether the condition Ready comes from the manifest. The
// condition shows it, because InlineReadyAnnotation exists only with the admission
// policy, and does not apply once somebody else has written the condition.
func declaredInManifest(object *v1beta1.ExternalWorkload) bool {
	if ready := readyCondition(object); ready != nil {
		return ready.Reason == reasonDeclared
	}
	_, declared := object.Annotations[v1beta1.InlineReadyAnnotation]
	return declared
}

// Reasons of the controller's conditions that are treated differently from others.
const (
	// reasonDeclared: Ready was declared.
	reasonDeclared = "Declared"
	// reasonHostNotAllowed: Accepted is False because the operator does not allow probes
	// that set a host.
	reasonHostNotAllowed = "HostNotAllowed"
)

// readyCondition returns the condition Ready that decides. If there are several,
// because the CustomResourceDefinition allows it, that is one with status True.
func readyCondition(object *v1beta1.ExternalWorkload) *v1beta1.WorkloadCondition {
	found := conditionOf(object, v1beta1.WorkloadReady)
	for i := range object.Status.Conditions {
		c := &object.Status.Conditions[i]
		if c.Type == v1beta1.WorkloadReady && c.Status == v1beta1.ConditionTrue {
			return c
		}
	}
	return found
}

func conditionOf(object *v1beta1.ExternalWorkload, kind v1beta1.WorkloadConditionType) *v1beta1.WorkloadCondition {
	for i := range object.Status.Conditions {
		if object.Status.Conditions[i].Type == kind {
			return &object.Status.Conditions[i]
		}
	}
	return nil
}

// checkDraining reports whether the workload is taken out of service.
func checkDraining(service *corev1.Service, object *v1beta1.ExternalWorkload, now time.Time) []Check {
	check := Check{Name: CheckDraining, Result: No}
	switch {
	case object.DeletionTimestamp != nil:
		check.Reason = "Deleting"
		check.Detail = fmt.Sprintf("the object is being deleted for %s, and waits for finalizers %s", age(object.DeletionTimestamp.Time, now), strings.Join(object.Finalizers, ", "))
		check.Fix = "wait until the finalizers are removed; a deletion cannot be undone, so apply the object again afterwards"
	case object.Annotations[v1beta1.DrainAnnotation] != "":
		check.Reason = "Draining"
		check.Detail = fmt.Sprintf("the annotation %s is %q", v1beta1.DrainAnnotation, object.Annotations[v1beta1.DrainAnnotation])
		if since := DrainedSince(object); since != nil {
			check.Detail += ", for " + age(*since, now)
		}
		check.Fix = fmt.Sprintf("kubectl external-workload undrain %s -n %s", object.Name, object.Namespace)
	default:
		return nil
	}
	if service.Spec.PublishNotReadyAddresses {
		check.Result, check.Fix = Note, ""
		check.Detail += "; the Service publishes it anyway (publishNotReadyAddresses)"
	}
	return []Check{check}
}

// checkReadiness describes what the condition Ready says, where it comes from, and
// whether the endpoints follow it.
func checkReadiness(service *corev1.Service, object *v1beta1.ExternalWorkload, families []Family, options desired.Options) Check {
	check := Check{Name: CheckReadiness, Result: OK}
	ready := readyCondition(object)
	switch {
	case ready == nil:
		check.Result, check.Reason, check.Detail = No, "NoReadyCondition", "the object has no condition Ready"
	case ready.Status == v1beta1.ConditionTrue:
		check.Detail = conditionText(ready, options.Now)
	default:
		check.Result, check.Reason, check.Detail = No, cmpOr(ready.Reason, "NotReady"), conditionText(ready, options.Now)
	}
	if check.Result == OK && ready.Reason == "ProbeHeld" {
		check.Detail += "; held: readiness is frozen while probes of most namespaces fail together"
	}
	if check.Result == OK && unprovenEverywhere(families) {
		check.Result, check.Reason = No, "AddressNotProven"
		check.Detail += "; but the current address has not passed the probe"
	}
	check.Detail += "; " + SourceText(object, options)
	if accepted := conditionOf(object, v1beta1.WorkloadAccepted); accepted != nil && accepted.Status == v1beta1.ConditionFalse {
		check.Detail += fmt.Sprintf("; Accepted is False (%s): %s", accepted.Reason, accepted.Message)
		if check.Result == No && annotationReason(accepted.Reason) && !options.IgnoreProbes {
			check.Reason = accepted.Reason
		}
	}
	if check.Result != No {
		return check
	}
	check.Fix = readinessFix(object, check.Reason, options)
	if service.Spec.PublishNotReadyAddresses {
		check.Result, check.Fix = Note, ""
		check.Detail += "; the Service publishes it anyway (publishNotReadyAddresses)"
	}
	return check
}

// unprovenEverywhere reports whether a workload with the condition Ready is not ready
// in any family that may be ready, because no probe has passed at its current addresses.
func unprovenEverywhere(families []Family) bool {
	endpoints := 0
	for i := range families {
		if families[i].Skipped != "" || families[i].withheld {
			continue
		}
		endpoints++
		if families[i].Serving {
			return false
		}
	}
	return endpoints > 0
}

// conditionText describes a condition in one line.
func conditionText(c *v1beta1.WorkloadCondition, now time.Time) string {
	text := fmt.Sprintf("Ready is %s", cmpOr(string(c.Status), `""`))
	if c.Reason != "" {
		text += " (" + c.Reason + ")"
	}
	if !c.LastTransitionTime.IsZero() {
		text += " for " + age(c.LastTransitionTime.Time, now)
	}
	if !c.LastProbeTime.IsZero() {
		text += ", probed " + age(c.LastProbeTime.Time, now) + " ago"
	}
	if c.Message != "" {
		text += ": " + c.Message
	}
	return text
}

// SourceText describes where readiness comes from, for a controller with these settings.
func SourceText(object *v1beta1.ExternalWorkload, options desired.Options) string {
	_, probed := object.Annotations[v1beta1.ProbeAnnotation]
	value, declared := object.Annotations[v1beta1.ReadyAnnotation]
	switch {
	case options.IgnoreProbes:
		return "set by another writer, since the controller runs with --readiness=false"
	case probed:
		return "set by its probe"
	case declared:
		return fmt.Sprintf("set by its annotation %s: %q", v1beta1.ReadyAnnotation, value)
	case declaredInManifest(object):
		return "set by a declaration" // the condition's message says which
	default:
		return "set by another writer, since it has neither a probe nor a declaration"
	}
}

// annotationReason reports whether the reason of Accepted concerns an annotation that
// sets the readiness.
func annotationReason(reason string) bool {
	return strings.HasPrefix(reason, "InvalidProbe") || strings.HasPrefix(reason, "InvalidReady") || strings.HasPrefix(reason, "ProbeAddress") || reason == reasonHostNotAllowed
}

// readinessFix describes what makes a workload ready.
func readinessFix(object *v1beta1.ExternalWorkload, reason string, options desired.Options) string {
	_, probed := object.Annotations[v1beta1.ProbeAnnotation]
	_, declared := object.Annotations[v1beta1.ReadyAnnotation]
	declare := fmt.Sprintf("kubectl annotate externalworkload %s -n %s --overwrite %s=True", object.Name, object.Namespace, v1beta1.ReadyAnnotation)
	switch {
	case options.IgnoreProbes:
		return "let the program that observes the machine set its condition Ready to True, or run the controller with --readiness"
	case reason == reasonHostNotAllowed:
		return "remove host from the annotation " + v1beta1.ProbeAnnotation + ", or ask the operator to allow it (--probe-allow-host)"
	case annotationReason(reason):
		return "correct the annotation that the message names"
	case probed && reason == "NoReadyCondition":
		return "wait for the first probes; if none comes, check that the controller runs with --readiness and can reach the machine"
	case probed && (reason == "AddressNotProven" || reason == "AddressChanged"):
		return "start the server at the new address, and wait until it passes the probe"
	case probed:
		return "start the server that answers the probe on the machine, or correct the annotation " + v1beta1.ProbeAnnotation
	case declared:
		return declare
	default:
		return declare + " declares it ready; or give it a probe with the annotation " + v1beta1.ProbeAnnotation
	}
}

// age formats the time since then as kubectl does.
func age(then, now time.Time) string { return duration.HumanDuration(max(now.Sub(then), 0)) }

func cmpOr(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
