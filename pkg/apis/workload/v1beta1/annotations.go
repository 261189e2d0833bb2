package v1beta1

import "strings"

// Annotations on an ExternalWorkload that this project reads.
const (
	// ReadyAnnotation declares the machine's readiness: "True", "False" or
	// "Unknown". It fits a manifest in a repository, where status does not.
	ReadyAnnotation = "external-workload.io/ready"

	// ProbeAnnotation holds a Kubernetes Probe (core/v1) as JSON or YAML, by
	// which the controller finds out the machine's readiness itself.
	ProbeAnnotation = "external-workload.io/probe"

	// DrainAnnotation, with any non-empty value, takes the machine out of service as
	// Kubernetes does with a Pod that is being deleted: its endpoint is terminating and
	// not ready, whatever its probe, its declaration or its condition says.
	DrainAnnotation = "external-workload.io/drain"

	// MachineDrainPrefix begins the value of DrainAnnotation if the machine has set it
	// itself. When a machine registers again, it ends only such a drain.
	MachineDrainPrefix = "machine "

	// InvitedCIDRsAnnotation lists the address ranges, such as
	// "10.20.0.0/16,2001:db8::/64", in which the machine's own credential may
	// set spec.workloadIPs. An admission policy enforces it.
	InvitedCIDRsAnnotation = "external-workload.io/invited-cidrs"

	// DeleteAfterUnreadyAnnotation is the time, such as "1h", after which the
	// controller deletes an object whose probe has failed continuously.
	DeleteAfterUnreadyAnnotation = "external-workload.io/delete-after-unready"

	// ProbeServerNameAnnotation is the server name (SNI) that a probe with TLS
	// asks for: a DNS name, or ProbeServerNameMesh for the workload's
	// meshTLS.serverName. Without it kubelet's rule holds: the probe's host, or
	// none where an address is probed.
	ProbeServerNameAnnotation = "external-workload.io/probe-server-name"
	// ProbeServerNameMesh is for machines that terminate the mesh's TLS
	// themselves.
	ProbeServerNameMesh = "mesh"

	// InlineReadyAnnotation holds the status of the condition Ready in the last
	// manifest. The admission policy writes it, because the API server drops status
	// from an ordinary create or update. Unlike ReadyAnnotation, it does not apply
	// after a client has written the condition later.
	InlineReadyAnnotation = "external-workload.io/inline-ready"
)

// OverruledAnnotation is set on objects in memory only. It holds the reason why an inline
// Ready condition is not followed.
const OverruledAnnotation = "external-workload.io/inline-ready-overruled"

// Drained reports whether the machine should get no new traffic: DrainAnnotation has a
// value, or a finalizer keeps the object while it is being deleted.
func (w *ExternalWorkload) Drained() bool {
	return w.Annotations[DrainAnnotation] != "" || w.DeletionTimestamp != nil
}

// DrainedByMachine reports whether the machine itself has set the drain, and
// nobody else.
func (w *ExternalWorkload) DrainedByMachine() bool {
	return strings.HasPrefix(w.Annotations[DrainAnnotation], MachineDrainPrefix)
}
