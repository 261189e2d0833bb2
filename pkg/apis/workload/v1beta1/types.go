package v1beta1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ExternalWorkload describes one machine outside the cluster, such as a
// virtual machine or a bare-metal host, that takes part in the mesh. Services
// of its namespace whose selector matches its labels send traffic to it while
// it is ready.
//
// +genclient
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=externalworkloads,singular=externalworkload,shortName=ew,categories=external
// +kubebuilder:printcolumn:name="IP",type=string,JSONPath=`.spec.workloadIPs[0].ip`
// +kubebuilder:printcolumn:name="Identity",type=string,JSONPath=`.spec.meshTLS.identity`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type ExternalWorkload struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec describes the machine and how to reach it.
	// +required
	Spec ExternalWorkloadSpec `json:"spec"`

	// status is the observed state of the machine. It is a subresource: the
	// API server drops it from a create or update of the object.
	// +optional
	Status ExternalWorkloadStatus `json:"status,omitempty"`
}

// ExternalWorkloadSpec describes a machine and how to reach it.
type ExternalWorkloadSpec struct {
	// meshTLS is the identity of the machine's proxy in the mesh.
	// +required
	MeshTLS MeshTLS `json:"meshTLS"`

	// ports are the ports that the machine serves. A Service reaches a port by
	// the name or the number in its targetPort; a port that is not listed here
	// is not published.
	// +optional
	// +listType=map
	// +listMapKey=port
	// +listMapKey=protocol
	// +kubebuilder:validation:MaxItems=100
	// +kubebuilder:validation:XValidation:rule="self.all(p, !has(p.name) || p.name == '' || self.exists_one(q, has(q.name) && q.name == p.name))",message="two ports have the same name; give each port of the workload a name of its own"
	Ports []PortSpec `json:"ports,omitempty"`

	// workloadIPs are the addresses of the machine: at most one IPv4 and one
	// IPv6 address.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=2
	// +kubebuilder:validation:XValidation:rule="size(self) < 2 || !isIP(self[0].ip) || !isIP(self[1].ip) || ip(self[0].ip).family() != ip(self[1].ip).family()",message="both addresses are of one family; give at most one IPv4 and one IPv6 address"
	WorkloadIPs []WorkloadIP `json:"workloadIPs,omitempty"`
}

// MeshTLS is the identity of a machine's proxy in the mesh.
type MeshTLS struct {
	// identity is the name in the machine's certificate, a SPIFFE ID or a DNS
	// name. Peers verify it in the TLS handshake.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Identity string `json:"identity"`

	// serverName is the DNS name that peers send as SNI to reach the machine's proxy.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	ServerName string `json:"serverName"`
}

// PortSpec is one port that a machine serves.
type PortSpec struct {
	// name is an IANA service name (RFC 6335), unique among the workload's
	// ports. A Service may use it as its targetPort.
	// +optional
	// +kubebuilder:validation:MaxLength=15
	// +kubebuilder:validation:XValidation:rule="self == '' || self.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?$')",message="a port name has only lower-case letters, digits and hyphens, and begins and ends with a letter or digit"
	// +kubebuilder:validation:XValidation:rule="self == '' || self.matches('[a-z]')",message="a port name needs at least one letter, so that it is not mistaken for a number"
	// +kubebuilder:validation:XValidation:rule="!self.contains('--')",message="a port name must not have two hyphens in a row"
	Name string `json:"name,omitempty"`

	// port is the port's number, 1 to 65535.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port"`

	// protocol is TCP, UDP or SCTP. The default is TCP.
	// +optional
	// +default="TCP"
	// +kubebuilder:default=TCP
	// +kubebuilder:validation:Enum=TCP;UDP;SCTP
	Protocol corev1.Protocol `json:"protocol,omitempty"`
}

// WorkloadIP is one address of a machine.
type WorkloadIP struct {
	// ip is an IPv4 or IPv6 address in canonical form that other machines can reach.
	// +optional
	// +kubebuilder:validation:MaxLength=45
	// +kubebuilder:validation:XValidation:rule="isIP(self)",message="not an IP address; write it like 192.0.2.10 or 2001:db8::10, without spaces, zone, leading zeros or port"
	// +kubebuilder:validation:XValidation:rule="!isIP(self) || ip.isCanonical(self)",message="not the canonical form of the address; write IPv6 in lower case and shortened (RFC 5952), like 2001:db8::10"
	// +kubebuilder:validation:XValidation:rule="!isIP(self) || ip(self).isGlobalUnicast()",message="no machine can be reached at this address; loopback, link-local, multicast, broadcast and unspecified addresses are not allowed"
	IP string `json:"ip,omitempty"`
}

// ExternalWorkloadStatus is the observed state of a machine.
type ExternalWorkloadStatus struct {
	// conditions describe the machine's state. The machine gets traffic while
	// the condition of type Ready has status True.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []WorkloadCondition `json:"conditions,omitempty"`
}

// WorkloadConditionType is the type of a condition.
//
// +kubebuilder:validation:MaxLength=316
// +kubebuilder:validation:Pattern=`^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$`
type WorkloadConditionType string

const (
	// WorkloadReady says whether the machine gets traffic.
	WorkloadReady WorkloadConditionType = "Ready"

	// WorkloadReadyIPv4 is the readiness of the IPv4 address of a workload with a
	// probe, in addition to WorkloadReady. While it is True, its message is a
	// Proof; the address gets traffic only if the Proof names it.
	WorkloadReadyIPv4 WorkloadConditionType = "ReadyIPv4"

	// WorkloadReadyIPv6 is the same for an IPv6 address.
	WorkloadReadyIPv6 WorkloadConditionType = "ReadyIPv6"

	// WorkloadAccepted is False while an error in the object prevents publishing
	// or probing it; its message says what to correct.
	WorkloadAccepted WorkloadConditionType = "Accepted"

	// WorkloadDraining is True while the machine is drained, since its last
	// transition time.
	WorkloadDraining WorkloadConditionType = "Draining"
)

// ConditionStatus is True, False or Unknown.
//
// +kubebuilder:validation:Enum=True;False;Unknown
type ConditionStatus string

// The values of a condition's status.
const (
	ConditionTrue    ConditionStatus = "True"
	ConditionFalse   ConditionStatus = "False"
	ConditionUnknown ConditionStatus = "Unknown"
)

// WorkloadCondition is one aspect of a machine's state.
type WorkloadCondition struct {
	// type of the condition in CamelCase or in foo.example.com/CamelCase.
	// +required
	Type WorkloadConditionType `json:"type"`

	// status is True, False or Unknown.
	// +required
	Status ConditionStatus `json:"status"`

	// lastProbeTime is the last time at which the condition was checked. It
	// does not affect what is published.
	// +optional
	LastProbeTime metav1.Time `json:"lastProbeTime,omitempty,omitzero"`

	// lastTransitionTime is the last time at which status changed.
	// +optional
	LastTransitionTime metav1.Time `json:"lastTransitionTime,omitempty,omitzero"`

	// reason is the reason for the last change of status, as one CamelCase word.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:Pattern=`^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$`
	Reason string `json:"reason,omitempty"`

	// message is a human-readable message with details.
	// +optional
	// +kubebuilder:validation:MaxLength=32768
	Message string `json:"message,omitempty"`
}

// ExternalWorkloadList is a list of ExternalWorkloads.
//
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +kubebuilder:object:root=true
type ExternalWorkloadList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`

	// items are the ExternalWorkloads.
	Items []ExternalWorkload `json:"items"`
}
