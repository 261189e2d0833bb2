package endpointslice

import (
	"hash/maphash"
	"maps"
	"sync"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

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
	texts  map[string]string
	labels map[uint64]map[string]string
}

func newShares() *shares {
	return &shares{seed: maphash.MakeSeed(), texts: map[string]string{}, labels: map[uint64]map[string]string{}}
}

// text gives a text that equal ones share. It is for texts that recur.
func (s *shares) text(text string) string {
	if text == "" {
		return ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, found := s.texts[text]; found {
		return known
	}
	if len(s.texts) >= maxShares {
		clear(s.texts)
	}
	s.texts[text] = text
	return text
}

// labelsOf gives labels that equal ones share. Nobody may change them.
func (s *shares) labelsOf(labels map[string]string) map[string]string {
	if len(labels) == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	// The order in which a map is gone through must not matter.
	var sum uint64
	for key, value := range labels {
		sum += maphash.Comparable(s.seed, label{key, value})
	}
	if known := s.labels[sum]; maps.Equal(known, labels) {
		return known
	}
	if len(s.labels) >= maxShares {
		clear(s.labels)
	}
	s.labels[sum] = labels
	return labels
}

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
	slice.Namespace = s.text(slice.Namespace)
	for i := range slice.Endpoints {
		if target := slice.Endpoints[i].TargetRef; target != nil {
			target.Kind, target.Namespace = s.text(target.Kind), s.text(target.Namespace)
		}
	}
	return slice, nil
}

// trimWorkload drops what is not read of an ExternalWorkload: all annotations
// but our own, of which one may be a copy of the whole object.
func (s *shares) trimWorkload(object any) (any, error) {
	workload, ok := object.(*v1beta1.ExternalWorkload)
	if !ok {
		return object, nil
	}
	workload.ManagedFields = nil
	kept := map[string]string(nil)
	for _, name := range []string{v1beta1.ReadyAnnotation, v1beta1.ProbeAnnotation, v1beta1.UnreadableAnnotation} {
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
