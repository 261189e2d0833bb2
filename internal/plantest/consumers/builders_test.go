package consumers_test

import (
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// newSlice returns a slice of the Service "web" with one port, "http" at 8080.
func newSlice(name string, parts ...any) *discoveryv1.EndpointSlice {
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "default",
			Name:      name,
			Labels:    map[string]string{discoveryv1.LabelServiceName: "web"},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{newPort("http", 8080)},
	}
	for _, part := range parts {
		switch part := part.(type) {
		case discoveryv1.Endpoint:
			slice.Endpoints = append(slice.Endpoints, part)
		case discoveryv1.AddressType:
			slice.AddressType = part
		case []discoveryv1.EndpointPort:
			slice.Ports = part
		case headless:
			slice.Labels[corev1.IsHeadlessService] = ""
		}
	}
	return slice
}

type headless struct{}

func newPort(name string, number int32) discoveryv1.EndpointPort {
	return discoveryv1.EndpointPort{Name: ptr.To(name), Port: ptr.To(number), Protocol: ptr.To(corev1.ProtocolTCP)}
}

// newEndpoint returns a ready endpoint of a workload.
func newEndpoint(workload, address string, changes ...func(*discoveryv1.Endpoint)) discoveryv1.Endpoint {
	endpoint := discoveryv1.Endpoint{
		Addresses:  []string{address},
		Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(true), Serving: ptr.To(true), Terminating: ptr.To(false)},
		TargetRef: &corev1.ObjectReference{
			Kind: "ExternalWorkload", Namespace: "default", Name: workload, UID: "uid-1",
		},
	}
	for _, change := range changes {
		change(&endpoint)
	}
	return endpoint
}

func conditions(ready, serving, terminating bool) func(*discoveryv1.Endpoint) {
	return func(endpoint *discoveryv1.Endpoint) {
		endpoint.Conditions = discoveryv1.EndpointConditions{Ready: &ready, Serving: &serving, Terminating: &terminating}
	}
}

func notReady(endpoint *discoveryv1.Endpoint) { endpoint.Conditions.Ready = ptr.To(false) }

func unsetReady(endpoint *discoveryv1.Endpoint) { endpoint.Conditions.Ready = nil }

func withoutTarget(endpoint *discoveryv1.Endpoint) { endpoint.TargetRef = nil }

func withoutTargetNamespace(endpoint *discoveryv1.Endpoint) { endpoint.TargetRef.Namespace = "" }

func otherUID(endpoint *discoveryv1.Endpoint) { endpoint.TargetRef.UID = "uid-2" }

func hostname(name string) func(*discoveryv1.Endpoint) {
	return func(endpoint *discoveryv1.Endpoint) { endpoint.Hostname = &name }
}

func hint(zones ...string) func(*discoveryv1.Endpoint) {
	return func(endpoint *discoveryv1.Endpoint) {
		endpoint.Hints = &discoveryv1.EndpointHints{}
		for _, zone := range zones {
			endpoint.Hints.ForZones = append(endpoint.Hints.ForZones, discoveryv1.ForZone{Name: zone})
		}
	}
}
