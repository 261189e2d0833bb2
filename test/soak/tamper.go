package main

import (
	"context"
	"math/rand/v2"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// someSlice returns a published slice, or nil if there is none.
func (p *place) someSlice(ctx context.Context, draw *rand.Rand, namespace string) (*discoveryv1.EndpointSlice, error) {
	all, err := p.kube.DiscoveryV1().EndpointSlices(namespace).List(ctx, metav1.ListOptions{})
	if err != nil || len(all.Items) == 0 {
		return nil, err
	}
	return &all.Items[draw.IntN(len(all.Items))], nil
}

func (p *place) tamper(ctx context.Context, draw *rand.Rand, namespace string) error {
	slice, err := p.someSlice(ctx, draw, namespace)
	if err != nil || slice == nil {
		return err
	}
	switch draw.IntN(7) {
	case 0:
		slice.Endpoints = nil
	case 1:
		for i := range slice.Endpoints {
			slice.Endpoints[i].Conditions.Ready = ptr.To(false)
		}
	case 2:
		slice.Labels["tampered"] = "yes"
	case 3:
		delete(slice.Labels, discoveryv1.LabelManagedBy)
	case 4:
		delete(slice.Labels, discoveryv1.LabelServiceName)
	case 5:
		slice.OwnerReferences = nil
	default:
		for i := range slice.Ports {
			slice.Ports[i].Port = ptr.To[int32](1)
		}
	}
	_, err = p.kube.DiscoveryV1().EndpointSlices(namespace).Update(ctx, slice, metav1.UpdateOptions{FieldManager: "tamperer"})
	return err
}

func (p *place) deleteSlice(ctx context.Context, draw *rand.Rand, namespace string) error {
	slice, err := p.someSlice(ctx, draw, namespace)
	if err != nil || slice == nil {
		return err
	}
	return p.kube.DiscoveryV1().EndpointSlices(namespace).Delete(ctx, slice.Name, metav1.DeleteOptions{})
}
