package main

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// A history is when the slices of a Service held a ready endpoint that is looked
// for, and when they did not. It separates the controller's part from kube-proxy's.
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

// watchAddress watches whether an address is ready. It begins now; end ends it.
func (c *cluster) watchAddress(ctx context.Context, service, address string) (*history, error) {
	return c.watchReady(ctx, service, func(e discoveryv1.Endpoint) bool { return e.Addresses[0] == address })
}

// watchReady watches whether an endpoint for which wanted returns true is ready.
// It begins now; end ends it. It ignores the slice that Kubernetes makes for the
// Service's Pods.
func (c *cluster) watchReady(ctx context.Context, service string, wanted func(discoveryv1.Endpoint) bool) (*history, error) {
	watched, err := c.core.DiscoveryV1().EndpointSlices(namespace).Watch(ctx,
		metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + service +
			"," + discoveryv1.LabelManagedBy + "=" + managedBy})
	if err != nil {
		return nil, err
	}
	h := &history{watched: watched, done: make(chan struct{})}
	go func() {
		defer close(h.done)
		ready := map[string]bool{}
		for event := range watched.ResultChan() {
			if slice, ok := event.Object.(*discoveryv1.EndpointSlice); ok {
				ready[slice.Name] = event.Type != watch.Deleted && holdsReady(slice, wanted)
				h.add(readyEvent{at: time.Now(), ready: slices.Contains(slices.Collect(maps.Values(ready)), true)})
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

// became returns how long after begin the endpoint was first seen to be so; 0: never.
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

// always reports whether the endpoint was ready in everything that was seen.
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

func holdsReady(slice *discoveryv1.EndpointSlice, wanted func(discoveryv1.Endpoint) bool) bool {
	return slices.ContainsFunc(slice.Endpoints, func(e discoveryv1.Endpoint) bool {
		return wanted(e) && e.Conditions.Ready != nil && *e.Conditions.Ready
	})
}
