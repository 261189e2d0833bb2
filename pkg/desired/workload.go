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
	// settleTime is how long the publication of a new workload, a workload with
	// a new identity and a new Service waits. Linkerd's destination service looks
	// these up in caches of its own, which may be behind ours: it drops an endpoint
	// whose ExternalWorkload it does not know, announces one with the identity that
	// it knows, and forgets all endpoints when it handles the deletion of a Service.
	settleTime = 100 * time.Millisecond

	// newAge is the age below which an object counts as newly created. It is
	// one second, and one more because creationTimestamp has whole seconds.
	newAge = 2 * time.Second
)

// Workload is what counts of an ExternalWorkload for publishing it. It is
// never changed after NewWorkload made it.
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
	// FirstIdentity is the Identity that this name had when it was first seen:
	// what a slice that records no identities is taken to have published.
	FirstIdentity string

	// Changed is when that which counts last changed.
	Changed time.Time
	// SettledAt is when the workload, with its present identity, may first be
	// published as ready.
	SettledAt time.Time

	// unreadable says why the object could not be read, or is empty.
	unreadable string

	created   time.Time
	addresses [families]familyAddress
	// proven is whether the probe of the family's address has passed.
	proven   [families]bool
	ports    []v1beta1.PortSpec
	hostname bool
}

// Sighting is how an ExternalWorkload came to be seen.
type Sighting struct {
	// At is when the object was seen.
	At time.Time
	// Initial is true for objects that were there when watching began. When
	// they last changed is then known from the object only.
	Initial bool
	// Recovery is the last interruption of watches. What was created since it
	// began may be new to consumers until it is over, whatever its age.
	Recovery Recovery
}

// settledAt is when a new object that was created at a time has settled; zero
// if it is not new.
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

// ServiceSettledAt is when endpoints of a Service that is first seen may be
// published; zero if the Service is not new.
func ServiceSettledAt(service *corev1.Service, seen Sighting) time.Time {
	return seen.settledAt(service.CreationTimestamp.Time)
}

// NewWorkload works out what counts of an object. Before is what was known of
// the same name, or nil. The result holds no reference to the object's slices
// and maps, and is before itself if nothing that counts has changed.
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

// AddressProblems says, for each address family in which addresses are given
// but no good one, what is wrong with the first.
func AddressProblems(ips []v1beta1.WorkloadIP) []string {
	var problems []string
	for _, a := range addressesOf(ips) {
		if a.problem != "" && a.text == "" {
			problems = append(problems, a.problem)
		}
	}
	return problems
}

// Address is the address that a workload is published with in a family, in
// canonical form; empty if there is none.
func Address(ips []v1beta1.WorkloadIP, family corev1.IPFamily) string {
	return addressesOf(ips)[indexOf(discoveryv1.AddressType(family))].text
}

// readyIn is whether the workload is ready at its address of a family: where it
// is probed, that very address must have passed.
func (w *Workload) readyIn(family int, options Options) bool {
	return w.Ready && (!w.Probed || options.IgnoreProbes || w.proven[family])
}

// readyTypes are the conditions that say whether an address has passed its probe.
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

// hasReadyTrue reports whether any condition of type Ready is True. Objects
// stored under a lax CustomResourceDefinition may have several.
func hasReadyTrue(object *v1beta1.ExternalWorkload) bool {
	for i := range object.Status.Conditions {
		c := &object.Status.Conditions[i]
		if c.Type == v1beta1.WorkloadReady && c.Status == v1beta1.ConditionTrue {
			return true
		}
	}
	return false
}

// lastKnownChange is the latest time at which the object says that its
// readiness, or it itself, came to be.
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

// identityOf is a digest of 48 bits in 8 characters. A chance collision would
// only leave clients with an old identity until their stream ends.
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
