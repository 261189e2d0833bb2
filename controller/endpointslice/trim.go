package endpointslice

import (
	"hash/maphash"
	"maps"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/external-workload/controller/controller/readiness/declaration"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// maxShares bounds each kind of what shares remember, so that values of which
// each comes once do not pile up.
const maxShares = 4096

// shares lets objects in a cache have equal parts in common: each object is
// decoded with a copy of its own of every text and map, and a fleet of machines
// has few different labels. They are safe for concurrent use.
type shares struct {
	mu     sync.Mutex
	seed   maphash.Seed
	texts  map[string]*string
	labels map[uint64]map[string]string
	// addresses are by the first of them, targets by their UID.
	addresses map[string][]string
	targets   map[types.UID]*corev1.ObjectReference
}

func newShares() *shares {
	return &shares{
		seed: maphash.MakeSeed(), texts: map[string]*string{}, labels: map[uint64]map[string]string{},
		addresses: map[string][]string{}, targets: map[types.UID]*corev1.ObjectReference{},
	}
}

// shared gives the value that is known by the key if it equals this one, else
// this one, which is known from now on.
func shared[K comparable, V any](s *shares, known map[K]V, key K, value V, equal func(a, b V) bool) V {
	s.mu.Lock()
	defer s.mu.Unlock()
	if before, found := known[key]; found && equal(before, value) {
		return before
	}
	if len(known) >= maxShares {
		clear(known)
	}
	known[key] = value
	return value
}

// text gives a text that equal ones share. It is for texts that recur.
func (s *shares) text(text string) string {
	if text == "" {
		return ""
	}
	s.mu.Lock()
	known, found := s.texts[text]
	s.mu.Unlock()
	if found {
		return *known
	}
	recurring := text // so that only a new text is put on the heap
	return *s.pointer(&recurring)
}

// pointer gives a pointer that those to equal texts share. Nobody may change
// what it points to.
func (s *shares) pointer(text *string) *string {
	if text == nil {
		return nil
	}
	return shared(s, s.texts, *text, text, equalTexts)
}

func equalTexts(a, b *string) bool { return *a == *b }

// labelsOf gives labels that equal ones share. Nobody may change them.
func (s *shares) labelsOf(labels map[string]string) map[string]string {
	if len(labels) == 0 {
		return nil
	}
	// The order in which a map is gone through must not matter.
	var sum uint64
	for key, value := range labels {
		sum += maphash.Comparable(s.seed, label{key, value})
	}
	return shared(s, s.labels, sum, labels, maps.Equal)
}

// addressesOf gives addresses that equal ones share: a machine is in a slice of
// every Service that selects it. Nobody may change them.
func (s *shares) addressesOf(addresses []string) []string {
	if len(addresses) == 0 {
		return addresses
	}
	return shared(s, s.addresses, addresses[0], addresses, slices.Equal)
}

// targetOf gives a reference that equal ones share. Nobody may change it.
func (s *shares) targetOf(target *corev1.ObjectReference) *corev1.ObjectReference {
	return shared(s, s.targets, target.UID, target, equalTargets)
}

func equalTargets(a, b *corev1.ObjectReference) bool { return *a == *b }

// trimService drops what is not read of a Service.
func trimService(object any) (any, error) {
	if service, ok := object.(*corev1.Service); ok {
		service.ManagedFields, service.Annotations, service.Finalizers, service.OwnerReferences = nil, nil, nil, nil
		service.Status = corev1.ServiceStatus{}
	}
	return object, nil
}

// trimSlice drops what is not read of an EndpointSlice.
func (s *shares) trimSlice(object any) (any, error) {
	slice, ok := object.(*discoveryv1.EndpointSlice)
	if !ok {
		return object, nil
	}
	keepLastWriters(slice)
	slice.Namespace, slice.Labels = s.text(slice.Namespace), s.labelsOf(slice.Labels)
	slice.Endpoints = exactly(slice.Endpoints)
	for i := range slice.Endpoints {
		endpoint := &slice.Endpoints[i]
		endpoint.Addresses = s.addressesOf(endpoint.Addresses)
		if target := endpoint.TargetRef; target != nil {
			target.Kind, target.Namespace = s.text(target.Kind), s.text(target.Namespace)
			endpoint.TargetRef = s.targetOf(target)
		}
		endpoint.Hostname, endpoint.NodeName, endpoint.Zone = s.pointer(endpoint.Hostname), s.pointer(endpoint.NodeName), s.pointer(endpoint.Zone)
		conditions := &endpoint.Conditions
		conditions.Ready, conditions.Serving, conditions.Terminating = known(conditions.Ready), known(conditions.Serving), known(conditions.Terminating)
	}
	return slice, nil
}

// exactly gives endpoints without the room that a decoder leaves behind them,
// where it is more than an eighth.
func exactly(endpoints []discoveryv1.Endpoint) []discoveryv1.Endpoint {
	if cap(endpoints)-len(endpoints) <= len(endpoints)/8 {
		return endpoints
	}
	exact := make([]discoveryv1.Endpoint, len(endpoints))
	copy(exact, endpoints)
	return exact
}

var knownTrue, knownFalse = true, false

// known gives a truth value that equal ones share. Nobody may change it.
func known(value *bool) *bool {
	switch {
	case value == nil:
		return nil
	case *value:
		return &knownTrue
	default:
		return &knownFalse
	}
}

// trimWorkload drops what is not read of an ExternalWorkload: all annotations
// but our own, and of the copy of the whole object that one of the others may be
// all but the Ready condition.
func (s *shares) trimWorkload(object any) (any, error) {
	workload, ok := object.(*v1beta1.ExternalWorkload)
	if !ok {
		return object, nil
	}
	declaration.Digest(workload)
	workload.ManagedFields = nil
	kept := map[string]string(nil)
	for _, name := range []string{
		v1beta1.ReadyAnnotation, v1beta1.InlineReadyAnnotation, v1beta1.OverruledAnnotation,
		v1beta1.ProbeAnnotation, v1beta1.ProbeServerNameAnnotation, v1beta1.DrainAnnotation, v1beta1.UnreadableAnnotation,
	} {
		if value, given := workload.Annotations[name]; given {
			if kept == nil {
				kept = make(map[string]string, 1)
			}
			kept[name] = value
		}
	}
	workload.Annotations = s.labelsOf(kept)
	workload.Labels = s.labelsOf(workload.Labels)
	workload.Namespace = s.text(workload.Namespace)
	for i := range workload.Spec.Ports {
		port := &workload.Spec.Ports[i]
		port.Name, port.Protocol = s.text(port.Name), corev1.Protocol(s.text(string(port.Protocol)))
	}
	for i := range workload.Status.Conditions {
		c := &workload.Status.Conditions[i]
		c.Type, c.Status = v1beta1.WorkloadConditionType(s.text(string(c.Type))), v1beta1.ConditionStatus(s.text(string(c.Status)))
		c.Reason = s.text(c.Reason)
	}
	return workload, nil
}
