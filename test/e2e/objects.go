package main

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// workload returns an ExternalWorkload with an address and labels.
func workload(name, address string, labels map[string]string) *v1beta1.ExternalWorkload {
	return &v1beta1.ExternalWorkload{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Spec: v1beta1.ExternalWorkloadSpec{
			MeshTLS:     v1beta1.MeshTLS{Identity: name, ServerName: name},
			Ports:       []v1beta1.PortSpec{{Name: "http", Port: serverPort}},
			WorkloadIPs: []v1beta1.WorkloadIP{{IP: address}},
		},
	}
}

// create creates the workload.
func (c *cluster) create(ctx context.Context, w *v1beta1.ExternalWorkload) error {
	_, err := c.workloads.WorkloadV1beta1().ExternalWorkloads(namespace).Create(ctx, w, metav1.CreateOptions{})
	return err
}

// createWorkload creates the workload and makes it ready.
func (c *cluster) createWorkload(ctx context.Context, w *v1beta1.ExternalWorkload) error {
	if err := c.create(ctx, w); err != nil {
		return err
	}
	return c.setReady(ctx, w.Name, v1beta1.ConditionTrue)
}

// setReady writes the Ready condition, like an agent that checks the machine.
func (c *cluster) setReady(ctx context.Context, name string, status v1beta1.ConditionStatus) error {
	client := c.workloads.WorkloadV1beta1().ExternalWorkloads(namespace)
	return until(ctx, func(ctx context.Context) error {
		stored, err := client.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		stored.Status.Conditions = []v1beta1.WorkloadCondition{{Type: v1beta1.WorkloadReady, Status: status}}
		_, err = client.UpdateStatus(ctx, stored, metav1.UpdateOptions{})
		return err
	})
}

// createService creates a Service with port 80 that selects the label app, and returns its
// URL.
func (c *cluster) createService(ctx context.Context, name string, change func(*corev1.ServiceSpec)) (url string, err error) {
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.ServiceSpec{
			Selector: map[string]string{"app": name},
			Ports:    []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromString("http")}},
		},
	}
	if change != nil {
		change(&service.Spec)
	}
	stored, err := c.core.CoreV1().Services(namespace).Create(ctx, service, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	return "http://" + stored.Spec.ClusterIP, nil
}

// readyEndpoints returns the endpoints of the Service that may get traffic.
func (c *cluster) readyEndpoints(ctx context.Context, service string) ([]discoveryv1.Endpoint, error) {
	list, err := c.core.DiscoveryV1().EndpointSlices(namespace).List(ctx,
		metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + service})
	if err != nil {
		return nil, err
	}
	var ready []discoveryv1.Endpoint
	for _, slice := range list.Items {
		for _, endpoint := range slice.Endpoints {
			if endpoint.Conditions.Ready != nil && *endpoint.Conditions.Ready {
				ready = append(ready, endpoint)
			}
		}
	}
	return ready, nil
}

// published returns the addresses of the Service that may get traffic, sorted.
func (c *cluster) published(ctx context.Context, service string) ([]string, error) {
	ready, err := c.readyEndpoints(ctx, service)
	if err != nil {
		return nil, err
	}
	var addresses []string
	for _, endpoint := range ready {
		addresses = append(addresses, endpoint.Addresses...)
	}
	slices.Sort(addresses)
	return slices.Compact(addresses), nil
}

// waitPublished waits until the Service's endpoints are exactly these.
func (c *cluster) waitPublished(ctx context.Context, service string, want []string) error {
	slices.Sort(want)
	return until(ctx, func(ctx context.Context) error {
		have, err := c.published(ctx, service)
		if err == nil && !slices.Equal(have, want) {
			err = fmt.Errorf("the endpoints of %s are %v, want %v", service, have, want)
		}
		return err
	})
}
