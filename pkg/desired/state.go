package desired

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

// State is the desired state of one Service. The zero State publishes nothing.
type State struct {
	// Service is the owner of all slices, or nil if nothing is published.
	Service *corev1.Service
	// Labels are the exact labels of every slice.
	Labels map[string]string
	// Families are the address families that the Service has, in its order.
	Families []Family
	// Skipped are the workloads that are not published, sorted by name.
	Skipped []Skip
	// OneFamily is true if a workload must not be ready in more than one family.
	OneFamily bool
	// RetryAt, if not zero, is the earliest time at which a held endpoint may be ready.
	RetryAt time.Time

	scratch scratch
}

// Family is the desired state of one address family.
type Family struct {
	AddressType discoveryv1.AddressType
	// Groups are the distinct lists of ports of the endpoints, in order of first use.
	Groups []Ports
	// Endpoints has at most one endpoint of each workload, sorted by the workload's
	// name.
	Endpoints []Endpoint
}

// Endpoint is the endpoint of a workload in one address family.
type Endpoint struct {
	Workload *Workload
	Address  string
	// Group is the index of the endpoint's ports in Family.Groups.
	Group int32

	Ready, Serving, Terminating bool
	// Held is true for an endpoint that is Ready, but should not be published as ready
	// before State.RetryAt.
	Held bool
	// Withheld is true for an endpoint that is never Ready, because the workload has an
	// address of the Service's first family too (Options.WithholdSecondFamily).
	Withheld bool
	// Zone is the zone in which the machine is, or empty if that is not known.
	Zone string
	// ZoneHint is the zone whose clients should use the endpoint, or empty.
	ZoneHint string
	// NodeHint is the node whose clients should use the endpoint: NoNode, or empty.
	NodeHint string
	// Hostname is the endpoint's own DNS label, or empty.
	Hostname string
}

// ReadyNow reports whether the endpoint should get traffic now.
func (e *Endpoint) ReadyNow() bool { return e.Ready && !e.Held }

// ServingNow reports whether the endpoint should be published as serving now. A held
// endpoint is not, because a change of serving would need a write of its own.
func (e *Endpoint) ServingNow() bool { return e.Serving && !e.Held }

// HintsNow returns the zone hint and the node hint that match ReadyNow, or empty texts.
func (e *Endpoint) HintsNow() (zone, node string) {
	if e.Held {
		return "", ""
	}
	return e.ZoneHint, e.NodeHint
}

// Reason is the reason why a workload is skipped.
type Reason string

// The reasons why a workload is skipped.
const (
	// ReasonUnreadable: the object's spec or status does not have the types of an
	// ExternalWorkload.
	ReasonUnreadable Reason = "Unreadable"
	// ReasonNoAddress: the workload has no address of a family of the Service.
	ReasonNoAddress Reason = "NoAddress"
	// ReasonInvalidAddress: the workload's address cannot be published.
	ReasonInvalidAddress Reason = "InvalidAddress"
	// ReasonNoMatchingPort: the workload has none of the Service's target ports.
	ReasonNoMatchingPort Reason = "NoMatchingPort"
	// ReasonDuplicateAddress: another workload is published with the same
	// address and port.
	ReasonDuplicateAddress Reason = "DuplicateAddress"
)

// Reasons are all reasons, in the order in which they are reported.
var Reasons = []Reason{ReasonUnreadable, ReasonNoAddress, ReasonInvalidAddress, ReasonNoMatchingPort, ReasonDuplicateAddress}

// Skip is a workload that is not published, and why.
type Skip struct {
	Workload *Workload
	Reason   Reason
	// Family is the address family in which the workload is skipped, or empty for all.
	Family discoveryv1.AddressType
	// Other is, with ReasonDuplicateAddress, the workload that is published instead.
	Other *Workload

	service *corev1.Service
}

// Message explains to the workload's owner what is wrong and how to fix it.
func (s *Skip) Message() string {
	switch s.Reason {
	case ReasonUnreadable:
		return fmt.Sprintf("not published: the object cannot be read: %s; correct it", s.Workload.unreadable)
	case ReasonInvalidAddress:
		return fmt.Sprintf("not published as %s: %s; correct spec.workloadIPs", s.Family, s.Workload.addresses[indexOf(s.Family)].problem)
	case ReasonNoMatchingPort:
		return fmt.Sprintf("not published for Service %s: the workload has none of its target ports (%s); add the port to spec.ports or correct the Service's targetPort", s.service.Name, targets(s.service))
	case ReasonDuplicateAddress:
		return fmt.Sprintf("not published for Service %s: workload %s is published with the same address %s and port", s.service.Name, s.Other.Name, s.Workload.addresses[indexOf(s.Family)].text)
	default:
		return fmt.Sprintf("not published for Service %s: spec.workloadIPs has no address of its families (%s)", s.service.Name, familyNames(s.service))
	}
}

// Options are the settings of an installation.
type Options struct {
	// ManagedBy is the value of the label that marks the slices of this controller.
	ManagedBy string
	// WithholdSecondFamily publishes a workload with both families as ready in the
	// Service's first family only.
	WithholdSecondFamily bool
	// IgnoreProbes uses only the condition Ready of probed workloads, because probes
	// are disabled.
	IgnoreProbes bool
	// Zones are the zones of workloads without a zone label.
	Zones Zones
	// Now decides whether an endpoint is held.
	Now time.Time
	// ServiceSettledAt is when endpoints of the Service may first be published.
	ServiceSettledAt time.Time
	// Recovery is the last interruption of watches.
	Recovery Recovery
}

// Recovery is the time during which consumers of EndpointSlices may not have received
// all writes, because watches were interrupted. Each consumer lists again at some time
// before its end, and then sees only the last of several writes. The zero Recovery
// means no interruption.
type Recovery struct {
	// From is when the first watch was interrupted.
	From time.Time
	// Until is when all consumers have listed again.
	Until time.Time
}

// Ongoing reports whether consumers may not have all writes yet at a time.
func (r Recovery) Ongoing(now time.Time) bool { return now.Before(r.Until) }

// settled returns when consumers know a change that would be settled at the given time
// without the interruption.
func (r Recovery) settled(at time.Time) time.Time {
	if at.After(r.From) && at.Before(r.Until) {
		return r.Until
	}
	return at
}

// scratch is memory that Compute reuses. Without it, a change of one endpoint allocates
// for its whole Service: 55 KiB with 1,000 endpoints.
type scratch struct {
	resolver  resolver
	groups    []int32
	published []bool
	byAddress map[string]int32
	contested []int32
}

// Earlier returns the earlier of two times at which something is due. The zero time
// means never.
func Earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
