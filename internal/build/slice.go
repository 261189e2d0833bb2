package build

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// ManagedBy is the value of the label that marks slices as ours.
const ManagedBy = "linkerd-external-workloads-controller"

// SliceOption changes an EndpointSlice.
type SliceOption interface {
	applyToSlice(*discoveryv1.EndpointSlice)
}

type sliceOption func(*discoveryv1.EndpointSlice)

func (o sliceOption) applyToSlice(s *discoveryv1.EndpointSlice) { o(s) }

// Slice makes an IPv4 EndpointSlice with a key like "namespace/name" and the
// port http, 8080. It has no endpoints and belongs to the Service web, as
// Service makes it.
func Slice(key string, options ...SliceOption) *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{
		ObjectMeta:  metadata(key),
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{EndpointPort("http", 8080)},
		Endpoints:   []discoveryv1.Endpoint{},
	}
	Of(Service(s.Namespace + "/web")).applyToSlice(s)
	for _, option := range options {
		option.applyToSlice(s)
	}
	return s
}

// Of gives the slice the labels of this Service and makes the Service its owner.
func Of(service *corev1.Service) SliceOption {
	return sliceOption(func(s *discoveryv1.EndpointSlice) {
		s.GenerateName = "linkerd-external-" + service.Name + "-"
		s.Labels = maps.Clone(service.Labels)
		set(&s.Labels, discoveryv1.LabelServiceName, service.Name)
		set(&s.Labels, discoveryv1.LabelManagedBy, ManagedBy)
		if service.Spec.ClusterIP == corev1.ClusterIPNone {
			set(&s.Labels, corev1.IsHeadlessService, "")
		}
		s.OwnerReferences = []metav1.OwnerReference{Owner(service.Name, service.UID)}
	})
}

// Owner returns an owner reference to a Service, as controller.
func Owner(name string, uid types.UID) metav1.OwnerReference {
	return metav1.OwnerReference{
		APIVersion: "v1", Kind: "Service", Name: name, UID: uid,
		Controller: new(true), BlockOwnerDeletion: new(true),
	}
}

// Owners replaces the slice's owners.
func Owners(owners ...metav1.OwnerReference) SliceOption {
	return sliceOption(func(s *discoveryv1.EndpointSlice) { s.OwnerReferences = owners })
}

// AddressType sets the slice's address family.
func AddressType(t discoveryv1.AddressType) SliceOption {
	return sliceOption(func(s *discoveryv1.EndpointSlice) { s.AddressType = t })
}

// SlicePorts replaces the slice's ports.
func SlicePorts(ports ...discoveryv1.EndpointPort) SliceOption {
	return sliceOption(func(s *discoveryv1.EndpointSlice) { s.Ports = ports })
}

// EndpointPort makes a TCP port of a slice.
func EndpointPort(name string, number int32) discoveryv1.EndpointPort {
	return discoveryv1.EndpointPort{Name: &name, Port: &number, Protocol: new(corev1.ProtocolTCP)}
}

// EndpointOption changes an endpoint of a slice.
type EndpointOption func(*discoveryv1.Endpoint)

// Endpoint adds an endpoint to the slice: ready, at one address, and pointing
// to a workload of the slice's namespace, as Workload makes it.
func Endpoint(workload, address string, options ...EndpointOption) SliceOption {
	return sliceOption(func(s *discoveryv1.EndpointSlice) {
		e := discoveryv1.Endpoint{
			Addresses:  []string{address},
			Conditions: discoveryv1.EndpointConditions{Ready: new(true), Serving: new(true), Terminating: new(false)},
			TargetRef: &corev1.ObjectReference{
				Kind: "ExternalWorkload", Namespace: s.Namespace, Name: workload, UID: types.UID(workload + "-uid"),
			},
		}
		for _, option := range options {
			option(&e)
		}
		s.Endpoints = append(s.Endpoints, e)
	})
}

// Withdrawn makes an endpoint neither ready nor serving.
func Withdrawn() EndpointOption {
	return func(e *discoveryv1.Endpoint) { e.Conditions.Ready, e.Conditions.Serving = new(false), new(false) }
}

// InZone sets the endpoint's zone and, if hinted, a hint for that zone.
func InZone(zone string, hinted bool) EndpointOption {
	return func(e *discoveryv1.Endpoint) {
		e.Zone = &zone
		if hinted {
			e.Hints = &discoveryv1.EndpointHints{ForZones: []discoveryv1.ForZone{{Name: zone}}}
		}
	}
}
