package endpointslice

import (
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/external-workload/controller/controller/readiness/declaration"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// trimService removes fields of a Service that are not read.
func trimService(object any) (any, error) {
	if service, ok := object.(*corev1.Service); ok {
		service.ManagedFields, service.Annotations, service.Finalizers, service.OwnerReferences = nil, nil, nil, nil
		service.Status = corev1.ServiceStatus{}
	}
	return object, nil
}

// trimSlice removes fields of an EndpointSlice that are not read.
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

// exactly returns endpoints without the spare capacity of the decoder, if it is more
// than an eighth.
func exactly(endpoints []discoveryv1.Endpoint) []discoveryv1.Endpoint {
	if cap(endpoints)-len(endpoints) <= len(endpoints)/8 {
		return endpoints
	}
	exact := make([]discoveryv1.Endpoint, len(endpoints))
	copy(exact, endpoints)
	return exact
}

var knownTrue, knownFalse = true, false

// known returns a shared bool, which nobody may change.
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

// trimWorkload removes fields of an ExternalWorkload that are not read: all annotations
// but our own. Of the copy of the manifest in another annotation, it keeps the Ready
// condition.
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
		v1beta1.ProbeAnnotation, v1beta1.ProbeServerNameAnnotation, v1beta1.DrainAnnotation,
		v1beta1.DeleteAfterUnreadyAnnotation, v1beta1.UnreadableAnnotation,
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

// keepLastWriters keeps, of a slice's field managers, the names of those that wrote in
// the second of the last write.
func keepLastWriters(slice *discoveryv1.EndpointSlice) {
	var last metav1.Time
	for i := range slice.ManagedFields {
		if at := slice.ManagedFields[i].Time; at != nil && last.Before(at) {
			last = *at
		}
	}
	var names []string
	for i := range slice.ManagedFields {
		if entry := &slice.ManagedFields[i]; entry.Time != nil && entry.Time.Equal(&last) && !slices.Contains(names, entry.Manager) {
			names = append(names, entry.Manager)
		}
	}
	slice.ManagedFields = namesOnly(names)
}

// namesOnly returns entries with only names. All cached slices with the same names
// share them; there are few, because few programs write our slices.
func namesOnly(names []string) []metav1.ManagedFieldsEntry {
	if len(names) == 0 {
		return nil
	}
	key := strings.Join(names, "\n")
	if known, found := writers.Load(key); found {
		return known.([]metav1.ManagedFieldsEntry)
	}
	var entries []metav1.ManagedFieldsEntry
	for _, name := range names {
		entries = append(entries, metav1.ManagedFieldsEntry{Manager: name})
	}
	known, _ := writers.LoadOrStore(key, entries)
	return known.([]metav1.ManagedFieldsEntry)
}

// writers are the entries of namesOnly by their names.
var writers sync.Map
