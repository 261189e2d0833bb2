package desired

import (
	"encoding/base64"
	"encoding/binary"
	"hash/fnv"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

const (
	// settleTime is the delay before a new workload, a workload with a new identity and
	// the endpoints of a new Service are published. Linkerd's destination service looks
	// these up in caches of its own, which may be behind: it drops an endpoint whose
	// ExternalWorkload it does not know, announces an endpoint with the old identity,
	// and forgets all endpoints when it handles the deletion of a Service.
	settleTime = 100 * time.Millisecond

	// newAge is the maximum age of an object that counts as newly created: one second,
	// plus one because creationTimestamp has whole seconds.
	newAge = 2 * time.Second
)

// Workload has the properties of an ExternalWorkload that affect publishing. It is
// immutable.
type Workload struct {
	Namespace, Name string
	UID             types.UID

	// Ready is true while the workload has a condition Ready with status True.
	Ready bool
	// Probed is true while the workload has the annotation with a probe.
	Probed bool
	// Terminating is true once the workload is being deleted or drained.
	Terminating bool
	// Zone is the topology zone that the workload's label names, or empty.
	Zone string

	// Identity is a short digest of the workload's name and meshTLS.
	Identity string
	// FirstIdentity is the Identity when this name was first seen. A slice that records
	// no identities counts as published with it.
	FirstIdentity string

	// Changed is when one of these properties last changed.
	Changed time.Time
	// SettledAt is the earliest time at which the workload may be published as ready
	// with its current identity.
	SettledAt time.Time

	// unreadable says why the object could not be read, or is empty.
	unreadable string

	created   time.Time
	addresses [families]familyAddress
	// proven is true if the probe of the family's address has passed.
	proven   [families]bool
	ports    []v1beta1.PortSpec
	hostname bool
}

// Sighting describes when and how an ExternalWorkload was observed.
type Sighting struct {
	// At is when the object was observed.
	At time.Time
	// Initial is true for objects of the first list. Only the object itself then says
	// when it last changed.
	Initial bool
	// Recovery is the last interruption of watches. What was created since it
	// began may be new to consumers until it is over, whatever its age.
	Recovery Recovery
}

// settledAt returns when an object with this creation time has settled; zero if the
// object is not new.
func (s Sighting) settledAt(created time.Time) time.Time {
	known := s.At
	if s.Recovery.Ongoing(s.At) && s.Recovery.From.Before(known) {
		known = s.Recovery.From
	}
	if known.Sub(created) < newAge {
		return s.At.Add(settleTime)
	}
	return time.Time{}
}

// ServiceSettledAt returns when endpoints of a newly observed Service may be published;
// zero if the Service is not new.
func ServiceSettledAt(service *corev1.Service, seen Sighting) time.Time {
	return seen.settledAt(service.CreationTimestamp.Time)
}

// NewWorkload computes the Workload of an object. before is the previous Workload of
// the same name, or nil; it is returned if no property has changed. The result has no
// references to slices and maps of the object.
func NewWorkload(object *v1beta1.ExternalWorkload, before *Workload, seen Sighting) *Workload {
	w := &Workload{
		Namespace:   object.Namespace,
		Name:        object.Name,
		UID:         object.UID,
		Ready:       hasReadyTrue(object),
		Terminating: object.Drained(),
		Zone:        object.Labels[corev1.LabelTopologyZone],
		Identity:    identityOf(object),
		unreadable:  object.Annotations[v1beta1.UnreadableAnnotation],
		created:     object.CreationTimestamp.Time,
		addresses:   addressesOf(object.Spec.WorkloadIPs),
		ports:       portsOf(object.Spec.Ports),
		hostname:    len(validation.IsDNS1123Label(object.Name)) == 0,
	}
	_, w.Probed = object.Annotations[v1beta1.ProbeAnnotation]
	for family, a := range w.addresses {
		w.proven[family] = w.Probed && a.text != "" && hasProof(object, readyTypes[family], a.text)
	}
	w.FirstIdentity = w.Identity
	if before != nil && before.UID == w.UID {
		w.FirstIdentity, w.SettledAt = before.FirstIdentity, before.SettledAt
		if w.equal(before) {
			return before
		}
		if w.Identity != before.Identity {
			w.SettledAt = seen.At.Add(settleTime)
		}
	} else {
		w.SettledAt = seen.settledAt(w.created)
	}
	w.Changed = seen.At
	if seen.Initial {
		w.Changed = lastKnownChange(object)
	}
	return w
}

// equal reports whether both are published alike.
func (w *Workload) equal(other *Workload) bool {
	return w.UID == other.UID && w.Ready == other.Ready && w.Probed == other.Probed && w.proven == other.proven && w.Terminating == other.Terminating &&
		w.Zone == other.Zone && w.Identity == other.Identity &&
		w.addresses == other.addresses && slices.Equal(w.ports, other.ports) && w.unreadable == other.unreadable
}

// AddressProblems describes, for each address family that has addresses but no valid
// one, what is wrong with the first.
func AddressProblems(ips []v1beta1.WorkloadIP) []string {
	var problems []string
	for _, a := range addressesOf(ips) {
		if a.problem != "" && a.text == "" {
			problems = append(problems, a.problem)
		}
	}
	return problems
}

// Address returns the address that a workload is published with in a family, in
// canonical form; empty if there is none.
func Address(ips []v1beta1.WorkloadIP, family corev1.IPFamily) string {
	return addressesOf(ips)[indexOf(discoveryv1.AddressType(family))].text
}

// readyIn reports whether the workload is ready at its address of a family: where it
// is probed, that very address must have passed.
func (w *Workload) readyIn(family int, options Options) bool {
	return w.Ready && (!w.Probed || options.IgnoreProbes || w.proven[family])
}

// readyTypes are the conditions that record passed probes, by family.
var readyTypes = [families]v1beta1.WorkloadConditionType{ipv4: v1beta1.WorkloadReadyIPv4, ipv6: v1beta1.WorkloadReadyIPv6}

// hasProof reports whether a condition of a type proves an address.
func hasProof(object *v1beta1.ExternalWorkload, kind v1beta1.WorkloadConditionType, address string) bool {
	for i := range object.Status.Conditions {
		c := &object.Status.Conditions[i]
		if c.Type == kind && c.Proves(address, object.UID) {
			return true
		}
	}
	return false
}

// hasReadyTrue reports whether any condition of type Ready is True. Objects that were
// stored under a CustomResourceDefinition without list keys may have several.
func hasReadyTrue(object *v1beta1.ExternalWorkload) bool {
	for i := range object.Status.Conditions {
		c := &object.Status.Conditions[i]
		if c.Type == v1beta1.WorkloadReady && c.Status == v1beta1.ConditionTrue {
			return true
		}
	}
	return false
}

// lastKnownChange returns the latest time in the object at which it was created or its
// readiness changed.
func lastKnownChange(object *v1beta1.ExternalWorkload) time.Time {
	last := object.CreationTimestamp.Time
	for i := range object.Status.Conditions {
		c := &object.Status.Conditions[i]
		if bearsOnReadiness(c.Type) && c.LastTransitionTime.After(last) {
			last = c.LastTransitionTime.Time
		}
	}
	return last
}

func bearsOnReadiness(kind v1beta1.WorkloadConditionType) bool {
	return kind == v1beta1.WorkloadReady || slices.Contains(readyTypes[:], kind)
}

// identityOf returns a digest of 48 bits in 8 characters. After a collision, clients
// would keep an old identity until their stream ends; nothing worse happens.
func identityOf(object *v1beta1.ExternalWorkload) string {
	digest := fnv.New64a()
	for _, part := range []string{object.Name, object.Spec.MeshTLS.Identity, object.Spec.MeshTLS.ServerName} {
		digest.Write([]byte(part))
		digest.Write([]byte{0})
	}
	var sum [8]byte
	binary.BigEndian.PutUint64(sum[:], digest.Sum64())
	return base64.RawURLEncoding.EncodeToString(sum[:6])
}
