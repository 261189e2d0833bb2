package readiness

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// Reasons of the conditions that this package writes.
const (
	// ReasonProbeSucceeded and ReasonProbeFailed: Ready, by a probe.
	ReasonProbeSucceeded = "ProbeSucceeded"
	ReasonProbeFailed    = "ProbeFailed"
	// ReasonProbeHeld: Ready stays True although the probe fails, since the
	// prober is the suspect.
	ReasonProbeHeld = "ProbeHeld"
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

// sourceOf tells where the readiness of a workload comes from.
func sourceOf(workload *v1beta1.ExternalWorkload) Source {
	if _, is := workload.Annotations[v1beta1.ProbeAnnotation]; is {
		return SourceProbe
	}
	if _, _, is := declaredReady(workload); is {
		return SourceDeclared
	}
	return SourceOther
}

// declaredReady is what a workload declares, and where. The annotation for it
// takes precedence over a condition that the manifest has inline.
func declaredReady(workload *v1beta1.ExternalWorkload) (status, origin string, declared bool) {
	if status, declared = workload.Annotations[v1beta1.ReadyAnnotation]; declared {
		return status, "the annotation " + v1beta1.ReadyAnnotation, true
	}
	status, declared = workload.Annotations[v1beta1.InlineReadyAnnotation]
	return status, "the condition in the manifest", declared
}

// knowledge is all that is known of a workload beside the object itself.
type knowledge struct {
	// probe is what is known of its probe; nil if it has none.
	probe *probeKnowledge
	// reported is whether its publishing was reported on, and problems what
	// was reported last.
	reported bool
	problems []Problem
}

// probeKnowledge is what is known of a workload's probe.
type probeKnowledge struct {
	// problem is why the annotation cannot be followed; nil if it can.
	problem *Problem
	health  health
}

// decision is what the two conditions should be; nil leaves one as it is.
type decision struct {
	ready    *condition
	accepted *condition
	// clearAccepted takes Accepted away.
	clearAccepted bool
	// draining is nil if the condition Draining is to be absent.
	draining *condition
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

// decide says what a workload's conditions should be.
func decide(workload *v1beta1.ExternalWorkload, known knowledge) decision {
	var (
		decided  decision
		problems []Problem
	)
	decided.draining = decideDraining(workload)
	switch sourceOf(workload) {
	case SourceProbe:
		decided.ready, problems = decideProbed(known.probe)
	case SourceDeclared:
		decided.ready, problems = decideDeclared(workload)
	case SourceOther:
	}
	problems = append(problems, known.problems...)
	if len(problems) > 0 {
		decided.accepted = notAccepted(problems)
		return decided
	}
	have := find(workload.Status.Conditions, v1beta1.WorkloadAccepted)
	decided.clearAccepted = have != nil && have.Status == v1beta1.ConditionFalse && repaired(have.Reason, known)
	return decided
}

func decideProbed(known *probeKnowledge) (*condition, []Problem) {
	switch {
	case known == nil:
		return nil, nil
	case known.problem != nil:
		return nil, []Problem{*known.problem}
	case known.health.refused != "":
		return nil, []Problem{{Reason: ReasonProbeAddressRefused, Message: known.health.refused}}
	case known.health.held:
		return &condition{
			kind: v1beta1.WorkloadReady, status: v1beta1.ConditionTrue, reason: ReasonProbeHeld,
			message: known.health.failure, probed: known.health.probed, lazy: true,
		}, nil
	case !known.health.decided:
		return nil, nil
	}
	ready := &condition{
		kind: v1beta1.WorkloadReady, status: v1beta1.ConditionTrue, reason: ReasonProbeSucceeded,
		message: known.health.message, probed: known.health.probed, lazy: true,
	}
	if !known.health.ready {
		ready.status, ready.reason = v1beta1.ConditionFalse, ReasonProbeFailed
	}
	return ready, nil
}

func decideDeclared(workload *v1beta1.ExternalWorkload) (*condition, []Problem) {
	value, origin, _ := declaredReady(workload)
	status := v1beta1.ConditionStatus(value)
	switch status {
	case v1beta1.ConditionTrue, v1beta1.ConditionFalse, v1beta1.ConditionUnknown:
	default:
		return nil, []Problem{{
			Reason:  ReasonInvalidReady,
			Message: clip(fmt.Sprintf("%s is %q; it must be \"True\", \"False\" or \"Unknown\"", origin, value)),
		}}
	}
	return &condition{
		kind: v1beta1.WorkloadReady, status: status, reason: ReasonDeclared,
		message: "declared by " + origin,
	}, nil
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

// repaired is whether it is known that what a reason stands for is gone. After
// a restart it is not known before it has been looked at again.
func repaired(reason string, known knowledge) bool {
	switch reason {
	case ReasonInvalidProbe, ReasonHostNotAllowed, ReasonInvalidReady:
		return true
	case ReasonProbeAddressRefused:
		return known.probe == nil || !known.probe.health.probed.IsZero()
	default:
		return known.reported
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
