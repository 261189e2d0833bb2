package readiness

import (
	"slices"
	"strings"
	"time"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/desired"
)

// Reasons of the conditions that this package writes.
const (
	// ReasonProbeSucceeded and ReasonProbeFailed: Ready, by a probe.
	ReasonProbeSucceeded = "ProbeSucceeded"
	ReasonProbeFailed    = "ProbeFailed"
	// ReasonProbeHeld: Ready stays True although the probe fails, because the prober
	// may be cut off.
	ReasonProbeHeld = "ProbeHeld"
	// ReasonAddressChanged: an address, its probed port or the probed host has changed,
	// and the probe has not passed there yet.
	ReasonAddressChanged = "AddressChanged"
	// ReasonProbePending: Ready was True when the workload got its probe, which
	// has not passed yet.
	ReasonProbePending = "ProbePending"
	// ReasonNoAddress: the workload was ready, and has no address any more.
	ReasonNoAddress = string(desired.ReasonNoAddress)
	// ReasonDeclared: Ready comes from an annotation or from the manifest.
	ReasonDeclared = "Declared"
	// ReasonInvalidProbe: Accepted is False because the probe does not decode.
	ReasonInvalidProbe = "InvalidProbe"
	// ReasonProbeAddressRefused: Accepted is False because the probe would reach an
	// address that must not be probed.
	ReasonProbeAddressRefused = "ProbeAddressRefused"
	// ReasonHostNotAllowed: Accepted is False because the probe sets a host, which the
	// operator does not permit.
	ReasonHostNotAllowed = "HostNotAllowed"
	// ReasonInvalidReady: Accepted is False because the declaration is invalid.
	ReasonInvalidReady = "InvalidReady"
	// ReasonInvalidAddress: Accepted is False because an address cannot be published.
	ReasonInvalidAddress = "InvalidAddress"
)

// Problem is an error in a workload that prevents publishing or probing. It becomes the
// condition Accepted.
type Problem struct {
	// Reason is a CamelCase word.
	Reason string
	// Message says what to fix.
	Message string
}

// Source is the source of a workload's readiness. It is a metric label.
type Source string

// The sources of readiness; the first one in this list that applies wins.
const (
	SourceProbe    Source = "probe"
	SourceDeclared Source = "declared"
	SourceOther    Source = "other"
)

// sourceOf returns the source of a workload's readiness.
func sourceOf(workload *v1beta1.ExternalWorkload) Source {
	if _, is := workload.Annotations[v1beta1.ProbeAnnotation]; is {
		return SourceProbe
	}
	if _, _, is := declaredReady(workload); is {
		return SourceDeclared
	}
	return SourceOther
}

// declaredReady returns the declared readiness and where it is declared. The annotation
// takes precedence over an inline condition of the manifest.
func declaredReady(workload *v1beta1.ExternalWorkload) (status, origin string, declared bool) {
	if status, declared = workload.Annotations[v1beta1.ReadyAnnotation]; declared {
		return status, "the annotation " + v1beta1.ReadyAnnotation, true
	}
	status, declared = workload.Annotations[v1beta1.InlineReadyAnnotation]
	return status, "the condition in the manifest", declared
}

// decision has the desired conditions.
type decision struct {
	// ready and accepted are the desired conditions of these types; nil does not change
	// them.
	ready, accepted *condition
	// draining is nil if the condition Draining should be absent.
	draining *condition
	// families are the conditions of address families that have to change.
	families []*condition
	// remove are the types of conditions to remove.
	remove []v1beta1.WorkloadConditionType
}

// addFamily adds the condition of a family, unless it is nil.
func (d *decision) addFamily(c *condition) {
	if c != nil {
		d.families = append(d.families, c)
	}
}

// condition is a desired condition, without the times, which depend on the actual one.
type condition struct {
	kind    v1beta1.WorkloadConditionType
	status  v1beta1.ConditionStatus
	reason  string
	message string
	// probed is when the last probe ended; zero if there was none.
	probed time.Time
	// lazy is true if a change of only the message is not urgent.
	lazy bool
	// quiet is true if a later probe alone is no reason for a write: the condition gets
	// its time with the next write.
	quiet bool
}

// decide returns the desired conditions of a workload. observed is the state of its
// probe; nil if there is none.
func decide(workload *v1beta1.ExternalWorkload, observed *record) decision {
	var (
		decided  decision
		problems []Problem
	)
	if _, unreadable := workload.Annotations[v1beta1.UnreadableAnnotation]; unreadable {
		return decided // writing it back would lose what is stored
	}
	switch sourceOf(workload) {
	case SourceProbe:
		decided, problems = decideProbed(workload, observed)
	case SourceDeclared:
		decided.ready, problems = decideDeclared(workload)
		decided.remove = familyConditions
	case SourceOther:
		decided.remove = familyConditions
	}
	decided.draining = decideDraining(workload)
	problems = append(problems, addressProblems(workload)...)
	if len(problems) > 0 {
		decided.accepted = notAccepted(problems)
		return decided
	}
	found := find(workload.Status.Conditions, v1beta1.WorkloadAccepted)
	if found != nil && found.Status == v1beta1.ConditionFalse && repaired(workload, found.Reason, observed) {
		decided.remove = append(slices.Clone(decided.remove), v1beta1.WorkloadAccepted)
	}
	return decided
}

// addressProblems returns the reasons why addresses of a workload cannot be published.
func addressProblems(workload *v1beta1.ExternalWorkload) []Problem {
	var problems []Problem
	for _, problem := range desired.AddressProblems(workload.Spec.WorkloadIPs) {
		problems = append(problems, Problem{Reason: ReasonInvalidAddress, Message: problem + "; correct spec.workloadIPs"})
	}
	return problems
}

// decideDeclared returns the desired Ready of a declaration. An unreadable one changes
// nothing, unless it clearly means "not ready".
func decideDeclared(workload *v1beta1.ExternalWorkload) (*condition, []Problem) {
	value, origin, _ := declaredReady(workload)
	status, ok, withdraws := v1beta1.ParseDeclaration(value)
	var problems []Problem
	if !ok {
		problems = []Problem{{
			Reason:  ReasonInvalidReady,
			Message: clip(v1beta1.InvalidDeclaration(value, origin)),
		}}
	}
	if !ok && !withdraws {
		return nil, problems
	}
	return &condition{
		kind: v1beta1.WorkloadReady, status: status, reason: ReasonDeclared,
		message: "declared by " + origin,
	}, problems
}

// notAccepted returns the condition with the first reason and all messages.
func notAccepted(problems []Problem) *condition {
	messages := make([]string, 0, len(problems))
	for _, problem := range problems {
		if !slices.Contains(messages, problem.Message) {
			messages = append(messages, problem.Message)
		}
	}
	return &condition{
		kind: v1beta1.WorkloadAccepted, status: v1beta1.ConditionFalse,
		reason: problems[0].Reason, message: clip(strings.Join(messages, "; ")),
	}
}

// repaired reports whether the cause of a reason is known to be gone. After a restart
// this is unknown for a refused address until it is probed again.
func repaired(workload *v1beta1.ExternalWorkload, reason string, observed *record) bool {
	switch reason {
	case ReasonInvalidProbe, ReasonHostNotAllowed, ReasonInvalidReady, ReasonInvalidAddress:
		return true
	case ReasonProbeAddressRefused:
		return sourceOf(workload) != SourceProbe || observed != nil && (observed.probed() || observed.withoutAddress())
	default:
		return false // somebody else says it
	}
}

// maxMessage is the maximum length of a condition's message.
const maxMessage = 1024

// clip shortens a message.
func clip(message string) string {
	if len(message) <= maxMessage {
		return message
	}
	return strings.ToValidUTF8(message[:maxMessage-3], "") + "..."
}
