package oracle

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
)

// DefaultManagedBy is the default value of the managed-by label on the controller's slices.
const DefaultManagedBy = "linkerd-external-workloads-controller"

// DefaultMaxEndpoints is the default maximum number of endpoints in a slice.
const DefaultMaxEndpoints = 100

// Rules are the settings of the controller that affect the slices. The zero value has the
// defaults.
type Rules struct {
	// ManagedBy is the value of the managed-by label; empty means DefaultManagedBy.
	ManagedBy string
	// MaxEndpoints is the maximum number of endpoints in a slice; 0 means DefaultMaxEndpoints.
	MaxEndpoints int
	// IgnoreProbes is set if the controller does not probe and ignores the annotation.
	IgnoreProbes bool
}

func (r Rules) withDefaults() Rules {
	if r.ManagedBy == "" {
		r.ManagedBy = DefaultManagedBy
	}
	if r.MaxEndpoints == 0 {
		r.MaxEndpoints = DefaultMaxEndpoints
	}
	return r
}

// Publication is the desired state, with an entry for each Service that can have endpoints. A
// Service with an entry and no group has no slice.
type Publication map[types.NamespacedName]*ServicePublication

// ServicePublication is the desired state of one Service.
type ServicePublication struct {
	// UID is the UID of the Service, which must be the owner of its slices.
	UID types.UID
	// Labels are the exact labels of each of the Service's slices.
	Labels map[string]string
	// Groups are the endpoints by family and ports.
	Groups map[GroupKey]map[string]Endpoint
	// Skipped are the selected workloads that are not published, by family.
	Skipped []Skip
}

// GroupKey has the properties that all endpoints of a slice share.
type GroupKey struct {
	Family discoveryv1.AddressType
	// Ports is the port set as text; see portSet.
	Ports string
}

// String names the group in a difference.
func (k GroupKey) String() string { return fmt.Sprintf("%s %s", k.Family, k.Ports) }

// Endpoint is a published workload. Endpoints can be compared with ==.
type Endpoint struct {
	Workload    string
	Address     string
	Ready       bool
	Serving     bool
	Terminating bool
	// Zone, Hint and Hostname are empty if they must not be published.
	Zone     string
	Hint     string
	Hostname string
	// TargetRef is the reference as text; see targetRefText.
	TargetRef string
}

// Reason is the reason why a selected workload is not published.
type Reason string

// The reasons why a workload is not published in a family.
const (
	NoAddress        Reason = "no address of this family"
	BadAddress       Reason = "address cannot be published"
	NoPort           Reason = "none of the Service's ports is declared"
	DuplicateAddress Reason = "another workload has this address and port"
)

// Skip is a workload that is not published in a family.
type Skip struct {
	Workload string
	Family   discoveryv1.AddressType
	Reason   Reason
}

func targetRefText(ref *corev1.ObjectReference) string {
	if ref == nil {
		return "none"
	}
	text := fmt.Sprintf("%s %s/%s uid=%s", ref.Kind, ref.Namespace, ref.Name, ref.UID)
	rest := *ref
	rest.Kind, rest.Namespace, rest.Name, rest.UID = "", "", "", ""
	if rest != (corev1.ObjectReference{}) {
		text += fmt.Sprintf(" and %+v", rest)
	}
	return text
}
