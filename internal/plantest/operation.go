package plantest

import (
	"fmt"
	"strconv"
	"strings"

	"k8s.io/utils/ptr"

	"github.com/external-workload/controller/internal/plantest/sliceapi"
)

// Kind is the kind of an operation.
type Kind int

// The kinds of operations, with the meaning of A and B. Both are taken modulo the number
// of choices at the time of the operation.
const (
	CreateWorkload   Kind = iota // workload A, spec B
	DeleteWorkload               // workload A
	BeginDeletion                // workload A, held by a finalizer
	RecreateWorkload             // workload A with another UID, address B
	RenameWorkload               // workload A becomes B and keeps its spec
	SetAddress                   // workload A, address B
	SwapAddresses                // workloads A and B
	SetWorkloadPorts             // workload A, port list B
	SetIdentity                  // workload A, identity B
	SetReady                     // workload A, readiness B
	SetZone                      // workload A, zone B
	SetMembership                // workload A, in or out by B

	CreateService          // shape A, headless by B
	DeleteService          // no choice
	RecreateService        // with another UID, shape A, headless by B
	SetServicePorts        // port list A
	SetSelector            // selector A
	SetServiceType         // ClusterIP or ExternalName by A
	SetFamilies            // families A
	SetPublishNotReady     // by A
	SetTrafficDistribution // by A
	SetServiceLabels       // labels A
	Tamper                 // a foreign write to slice A, of kind B
	Sync                   // a step of the controller, by Fault and Pause
	Adopt                  // a controller starts on slices that another controller wrote
	Restart                // of the controller, also in the middle of a step
	Quiet                  // everything must converge
	Interrupt              // all watches; Linkerd's destination service lists again after a time by A, B and Order
	kinds                  = int(Interrupt) + 1
)

var kindNames = [kinds]string{
	"create workload", "delete workload", "begin deletion of workload", "recreate workload", "rename workload",
	"set address of workload", "swap addresses of workloads", "set ports of workload", "set identity of workload",
	"set readiness of workload", "set zone of workload", "set membership of workload",
	"create Service", "delete Service", "recreate Service", "set ports of Service", "set selector of Service",
	"set type of Service", "set families of Service", "set publishNotReadyAddresses", "set trafficDistribution",
	"set labels of Service", "tamper with slice", "sync", "adopt the slices", "restart the controller", "quiet",
	"interrupt the watches",
}

// Operation is one event of a history.
type Operation struct {
	Kind Kind
	A, B int

	// Order, in a sync, selects the order of the writes.
	Order uint8
	// Fault, in a sync, is the failure of write number FaultAt.
	Fault   sliceapi.Failure
	FaultAt uint8
	// Pause, in a sync, is the number of writes after which other operations happen. The
	// next sync makes the remaining writes, unless a restart comes first. Zero means never.
	Pause uint8

	// Delay is the time before the operation in milliseconds. Lags are the delays from then
	// on of the destination service's watches of Services, slices and workloads.
	Delay uint8
	Lags  [watches]uint8
}

// String returns the operation in the form of a printed history.
func (o Operation) String() string {
	name := kindNames[o.Kind]
	if o.Delay > 0 || o.Lags != [watches]uint8{} {
		name = fmt.Sprintf("after %d ms, lags %v ms: %s", o.Delay, o.Lags, name)
	}
	switch {
	case o.Kind == Sync:
		return name + o.troubles()
	case o.Kind == Interrupt:
		return fmt.Sprintf("%s, back after %v", name, o.listedAfter())
	case o.Kind == Tamper:
		return fmt.Sprintf("%s %d in way %d", name, o.A, o.B%len(tamperings))
	case o.Kind <= SetMembership:
		return strings.TrimSpace(name + " " + pick(workloadNames, o.A) + " " + o.workloadChoice())
	default:
		return strings.TrimSpace(name + " " + o.serviceChoice())
	}
}

// troubles describes the fault and the pause of a sync.
func (o Operation) troubles() string {
	text := ""
	if o.Order != 0 {
		text += fmt.Sprintf(" in order %d", o.Order)
	}
	if o.Fault != sliceapi.None {
		text += fmt.Sprintf(", write %d: %s", o.FaultAt, [...]string{"", "error before", "timeout after", "conflict"}[o.Fault])
	}
	if o.Pause > 0 {
		text += fmt.Sprintf(", pause after %d writes", o.Pause)
	}
	return text
}

// workloadChoice describes the new value of the workload.
func (o Operation) workloadChoice() string {
	switch o.Kind {
	case CreateWorkload:
		return fmt.Sprintf("in shape %d", o.B)
	case RenameWorkload, SwapAddresses:
		return "and " + pick(workloadNames, o.B)
	case RecreateWorkload:
		if o.B%3 == 0 {
			return "as it is"
		}
		return fmt.Sprint(pick(addressLists, o.B))
	case SetAddress:
		return fmt.Sprint(pick(addressLists, o.B))
	case SetWorkloadPorts:
		return fmt.Sprint(pick(workloadPorts, o.B))
	case SetIdentity:
		return pick(identities, o.B).Identity + " " + pick(identities, o.B).ServerName
	case SetReady:
		return [...]string{"true", "false", "unset"}[o.B%len(readiness)]
	case SetZone:
		return strconv.Quote(pick(zones, o.B))
	case SetMembership:
		return fmt.Sprint(pick(workloadLabels, o.B))
	}
	return ""
}

// serviceChoice describes the new value of the Service.
func (o Operation) serviceChoice() string {
	ports := func() string {
		text := ""
		for _, p := range pick(servicePorts, o.A) {
			text += fmt.Sprintf("%q->%s ", p.Name, p.TargetPort.String())
		}
		return strings.TrimSpace(text)
	}
	switch o.Kind {
	case CreateService, RecreateService:
		if isHeadlessChoice(o.B) {
			return "headless " + ports()
		}
		return ports()
	case SetServicePorts:
		return ports()
	case SetSelector:
		return fmt.Sprint(pick(selectors, o.A))
	case SetServiceType:
		return string(pick(serviceTypes, o.A))
	case SetFamilies:
		return fmt.Sprintf("choice %d", o.A)
	case SetPublishNotReady:
		return strconv.FormatBool(o.A%2 == 1)
	case SetTrafficDistribution:
		return ptr.Deref(pick(distributions, o.A), "none")
	case SetServiceLabels:
		return fmt.Sprint(pick(serviceLabels, o.A))
	}
	return ""
}

// History is a list of operations, in order.
type History []Operation

// String lists the operations, one a line.
func (h History) String() string {
	var text strings.Builder
	for i, operation := range h {
		fmt.Fprintf(&text, "%3d  %s\n", i, operation)
	}
	return text.String()
}
