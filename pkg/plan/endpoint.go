package plan

import (
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/external-workload/controller/pkg/desired"
)

// endpointOf is an endpoint as it is wanted now.
func endpointOf(w *desired.Endpoint) discoveryv1.Endpoint {
	e := discoveryv1.Endpoint{
		Addresses: []string{w.Address},
		Conditions: discoveryv1.EndpointConditions{
			Ready:       new(w.ReadyNow()),
			Serving:     new(w.ServingNow()),
			Terminating: new(w.Terminating),
		},
		TargetRef: &corev1.ObjectReference{
			Kind:      workloadKind,
			Namespace: w.Workload.Namespace,
			Name:      w.Workload.Name,
			UID:       w.Workload.UID,
		},
	}
	if w.Workload.Zone != "" {
		e.Zone = &w.Workload.Zone
	}
	if w.Hostname != "" {
		e.Hostname = &w.Workload.Name
	}
	if hint := w.HintNow(); hint != "" {
		e.Hints = &discoveryv1.EndpointHints{ForZones: []discoveryv1.ForZone{{Name: hint}}}
	}
	return e
}

// withdrawn is a standing endpoint that gets no more traffic. Its values stay,
// so that the write changes nothing but that.
func withdrawn(e *discoveryv1.Endpoint) discoveryv1.Endpoint {
	next := *e
	next.Conditions.Ready, next.Conditions.Serving = new(false), new(false)
	next.Hints = nil
	return next
}

// ownerReference makes the Service the slice's controller.
func ownerReference(service *corev1.Service) metav1.OwnerReference {
	return *metav1.NewControllerRef(service, corev1.SchemeGroupVersion.WithKind("Service"))
}

// others are the owners besides the Service.
func others(owners []metav1.OwnerReference, service *corev1.Service) []metav1.OwnerReference {
	var rest []metav1.OwnerReference
	for i := range owners {
		if owners[i].UID != service.UID {
			rest = append(rest, owners[i])
		}
	}
	return rest
}
