package main

import (
	"context"
	"slices"
	"sync"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// A history is when the slices of a Service said that an address is ready, or is
// not. It separates the controller's part of a delay from that of kube-proxy.
type history struct {
	watched watch.Interface
	done    chan struct{}

	mu     sync.Mutex
	events []readyEvent
}

type readyEvent struct {
	at    time.Time
	ready bool
}

// watchAddress begins now; end ends it. Of this controller the Service has one
// slice, and the address is in it as long as its workload exists. The slice that
// Kubernetes itself makes for the Service's Pods is not looked at.
func (c *cluster) watchAddress(ctx context.Context, service, address string) (*history, error) {
	watched, err := c.core.DiscoveryV1().EndpointSlices(namespace).Watch(ctx,
		metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + service +
			"," + discoveryv1.LabelManagedBy + "=" + managedBy})
	if err != nil {
		return nil, err
	}
	h := &history{watched: watched, done: make(chan struct{})}
	go func() {
		defer close(h.done)
		for event := range watched.ResultChan() {
			if slice, ok := event.Object.(*discoveryv1.EndpointSlice); ok {
				h.add(readyEvent{at: time.Now(), ready: event.Type != watch.Deleted && holdsReady(slice, address)})
			}
		}
	}()
	return h, nil
}

func (h *history) end() {
	h.watched.Stop()
	<-h.done
}

func (h *history) add(event readyEvent) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, event)
}

// became returns how long after begin the address was first seen to be so; 0: never.
func (h *history) became(ready bool, begin time.Time) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, event := range h.events {
		if event.ready == ready && event.at.After(begin) {
			return event.at.Sub(begin)
		}
	}
	return 0
}

// always reports whether the address was ready in everything that was seen.
func (h *history) always() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.events) > 0 && !slices.ContainsFunc(h.events, func(event readyEvent) bool { return !event.ready })
}

// last returns when the slices were last seen to change before the time.
func (h *history) last(before time.Time) (at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, event := range h.events {
		if event.at.Before(before) {
			at = event.at
		}
	}
	return at
}

func holdsReady(slice *discoveryv1.EndpointSlice, address string) bool {
	for _, endpoint := range slice.Endpoints {
		if endpoint.Addresses[0] == address && endpoint.Conditions.Ready != nil && *endpoint.Conditions.Ready {
			return true
		}
	}
	return false
}
