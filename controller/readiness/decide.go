package readiness

import (
	"fmt"
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
	// ReasonProbeHeld: Ready stays True although the probe fails, since the
	// prober is the suspect.
	ReasonProbeHeld = "ProbeHeld"
	// ReasonAddressChanged: an address, its probed port or the host that is probed
	// has changed, and the probe has not passed there yet.
	ReasonAddressChanged = "AddressChanged"
	// ReasonProbePending: Ready was True when the workload got its probe, which
	// has not passed yet.
	ReasonProbePending = "ProbePending"
	// ReasonDeclared: Ready, by an annotation or by the manifest itself.
	ReasonDeclared = "Declared"
	// ReasonInvalidProbe: Accepted is False since the probe does not decode.
	ReasonInvalidProbe = "InvalidProbe"
	// ReasonProbeAddressRefused: Accepted is False since the probe would reach
	// an address that must not be reached.
	ReasonProbeAddressRefused = "ProbeAddressRefused"
	// ReasonHostNotAllowed: Accepted is False since the probe names a host, and
	// the operator does not permit that.
	ReasonHostNotAllowed = "HostNotAllowed"
	// ReasonInvalidReady: Accepted is False since the declaration is none.
	ReasonInvalidReady = "InvalidReady"
	// ReasonInvalidAddress: Accepted is False since an address cannot be published.
	ReasonInvalidAddress = "InvalidAddress"
)

// Problem is something about a workload that keeps it from being published or
// probed. It becomes the condition Accepted.
type Problem struct {
	// Reason is a CamelCase word.
	Reason string
	// Message says what to repair.
	Message string
}

// Source is where a workload's readiness comes from. It is a metric label.
type Source string

// The sources of readiness, the first that is there counts.
const (
	SourceProbe    Source = "probe"
	SourceDeclared Source = "declared"
	SourceOther    Source = "other"
)

// sourceOf describes where the readiness of a workload comes from.
func sourceOf(workload *v1beta1.ExternalWorkload) Source {
	if _, is := workload.Annotations[v1beta1.ProbeAnnotation]; is {
		return SourceProbe
	}
	if _, _, is := declaredReady(workload); is {
		return SourceDeclared
	}
	return SourceOther
}

// declaredReady returns what a workload declares, and where. The annotation for it
// takes precedence over a condition that the manifest has inline.
func declaredReady(workload *v1beta1.ExternalWorkload) (status, origin string, declared bool) {
	if status, declared = workload.Annotations[v1beta1.ReadyAnnotation]; declared {
		return status, "the annotation " + v1beta1.ReadyAnnotation, true
	}
	status, declared = workload.Annotations[v1beta1.InlineReadyAnnotation]
	return status, "the condition in the manifest", declared
}

// decision is what the conditions should be.
type decision struct {
	// ready and accepted are the conditions of these types; nil leaves them.
	ready, accepted *condition
	// draining is nil if the condition Draining is to be absent.
	draining *condition
	// families are the conditions of address families that should be another way.
	families []*condition
	// remove are the types of conditions to take away.
	remove []v1beta1.WorkloadConditionType
}

// addFamily adds the condition of a family, unless it is to be left as it is.
func (d *decision) addFamily(c *condition) {
	if c != nil {
		d.families = append(d.families, c)
	}
}

// condition is a condition as it should be, without the times that follow from
// what it was.
type condition struct {
	kind    v1beta1.WorkloadConditionType
	status  v1beta1.ConditionStatus
	reason  string
	message string
	// probed is when the last probe ended; zero if none has.
	probed time.Time
	// lazy is whether a change of the message alone can wait.
	lazy bool
}

// decide says what a workload's conditions should be. observed is what is known
// of its probe beside the object; nil if that is nothing.
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

// addressProblems returns what keeps addresses of a workload from being published.
func addressProblems(workload *v1beta1.ExternalWorkload) []Problem {
	var problems []Problem
	for _, problem := range desired.AddressProblems(workload.Spec.WorkloadIPs) {
		problems = append(problems, Problem{Reason: ReasonInvalidAddress, Message: problem + "; correct spec.workloadIPs"})
	}
	return problems
}

// decideDeclared says what Ready should be by a declaration. One that cannot be
// read changes nothing, unless it clearly withdraws.
func decideDeclared(workload *v1beta1.ExternalWorkload) (*condition, []Problem) {
	value, origin, _ := declaredReady(workload)
	status, ok, withdraws := parseDeclaration(value)
	var problems []Problem
	if !ok {
		problems = []Problem{{
			Reason:  ReasonInvalidReady,
			Message: clip(fmt.Sprintf("%s is %q; it must be \"True\", \"False\" or \"Unknown\"", origin, value)),
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

// notAccepted names the first reason and the messages of all.
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

// repaired reports whether it is known that what a reason stands for is gone. After
// a restart it is not known of a refused address before it is probed again.
func repaired(workload *v1beta1.ExternalWorkload, reason string, observed *record) bool {
	switch reason {
	case ReasonInvalidProbe, ReasonHostNotAllowed, ReasonInvalidReady, ReasonInvalidAddress:
		return true
	case ReasonProbeAddressRefused:
		return sourceOf(workload) != SourceProbe || observed != nil && observed.probed()
	default:
		return false // somebody else says it
	}
}

// maxMessage bounds a condition's message.
const maxMessage = 1024

// clip bounds a message.
func clip(message string) string {
	if len(message) <= maxMessage {
		return message
	}
	return strings.ToValidUTF8(message[:maxMessage-3], "") + "..."
}
