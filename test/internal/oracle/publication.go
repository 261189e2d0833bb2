package oracle

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
)

// DefaultManagedBy is the value of the managed-by label on slices that belong
// to the controller when no other value is configured.
const DefaultManagedBy = "linkerd-external-workloads-controller"

// DefaultMaxEndpoints is how many endpoints one slice may hold when no other
// limit is configured.
const DefaultMaxEndpoints = 100

// Rules are the settings of the controller that change what it publishes. The
// zero value stands for the defaults.
type Rules struct {
	// ManagedBy is the value of the managed-by label; empty means DefaultManagedBy.
	ManagedBy string
	// MaxEndpoints is the limit of endpoints per slice; 0 means DefaultMaxEndpoints.
	MaxEndpoints int
	// IgnoreProbes is set where the controller does not probe, so that the
	// annotation means nothing.
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

// Publication is all that must be published, one entry for each Service that
// can have endpoints. A Service with an entry and no group has no slice.
type Publication map[types.NamespacedName]*ServicePublication

// ServicePublication is what must be published for one Service.
type ServicePublication struct {
	// UID of the Service, which its slices must name as their owner.
	UID types.UID
	// Labels that each of the Service's slices must carry, no more and no less.
	Labels map[string]string
	// Groups hold the endpoints by family and ports.
	Groups map[GroupKey]map[string]Endpoint
	// Skipped are the workloads that are selected and not published, by family.
	Skipped []Skip
}

// GroupKey is what all endpoints of one slice share.
type GroupKey struct {
	Family discoveryv1.AddressType
	// Ports is the canonical text of the port set; see portSet.
	Ports string
}

// String names the group in a difference.
func (k GroupKey) String() string { return fmt.Sprintf("%s %s", k.Family, k.Ports) }

// Endpoint is one published workload. All of its fields are comparable, so that
// two endpoints are alike exactly if they are ==.
type Endpoint struct {
	Workload    string
	Address     string
	Ready       bool
	Serving     bool
	Terminating bool
	// Zone, Hint and Hostname are empty where nothing must be published.
	Zone     string
	Hint     string
	Hostname string
	// TargetRef is the canonical text of the reference; see targetRefText.
	TargetRef string
}

// Reason says why a selected workload is not published.
type Reason string

// The reasons for which a workload is not published in a family.
const (
	NoAddress        Reason = "no address of this family"
	BadAddress       Reason = "address cannot be published"
	NoPort           Reason = "none of the Service's ports is declared"
	DuplicateAddress Reason = "another workload has this address and port"
)

// Skip is one workload that is not published in one family.
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
