package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const discoveryAddress = "127.0.0.1:9091"

// A targetGroup is an element of Prometheus' HTTP service discovery.
type targetGroup struct {
	Targets []string          `json:"targets"`
	Labels  map[string]string `json:"labels"`
}

// startDiscovery serves the current targets of the ServiceMonitor to Prometheus until stop.
// Debian's Prometheus is built without Kubernetes service discovery.
func (c *cluster) startDiscovery(monitor serviceMonitor) error {
	listener, err := net.Listen("tcp", discoveryAddress)
	if err != nil {
		return err
	}
	c.discovery = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		groups, err := c.targets(r.Context(), monitor)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		// Prometheus detects a truncated answer.
		_ = json.NewEncoder(w).Encode(groups)
	})}
	go func() {
		// The only possible error is that the server was closed.
		_ = c.discovery.Serve(listener)
	}()
	return nil
}

// targets returns the endpoints of the monitor's port in the slices of the selected
// Services, ready or not, with the labels that the operator would add.
func (c *cluster) targets(ctx context.Context, monitor serviceMonitor) ([]targetGroup, error) {
	selector, err := metav1.LabelSelectorAsSelector(&monitor.Spec.Selector)
	if err != nil {
		return nil, err
	}
	groups := []targetGroup{}
	for _, namespace := range monitor.Spec.NamespaceSelector.MatchNames {
		services, err := c.core.CoreV1().Services(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector.String()})
		if err != nil {
			return nil, fmt.Errorf("listing the Services of %s: %w", namespace, err)
		}
		for _, service := range services.Items {
			slices, err := c.core.DiscoveryV1().EndpointSlices(namespace).List(ctx,
				metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + service.Name})
			if err != nil {
				return nil, fmt.Errorf("listing the slices of %s/%s: %w", namespace, service.Name, err)
			}
			for _, slice := range slices.Items {
				groups = append(groups, targetsOf(service, slice, monitor.Spec.Endpoints[0].Port)...)
			}
		}
	}
	return groups, nil
}

func targetsOf(service corev1.Service, slice discoveryv1.EndpointSlice, name string) []targetGroup {
	var groups []targetGroup
	for _, port := range slice.Ports {
		if port.Name == nil || *port.Name != name || port.Port == nil {
			continue
		}
		for _, endpoint := range slice.Endpoints {
			labels := map[string]string{"namespace": service.Namespace, "service": service.Name, "endpoint": name}
			if endpoint.TargetRef != nil {
				labels["pod"] = endpoint.TargetRef.Name
			}
			address := net.JoinHostPort(endpoint.Addresses[0], strconv.Itoa(int(*port.Port)))
			groups = append(groups, targetGroup{[]string{address}, labels})
		}
	}
	return groups
}
