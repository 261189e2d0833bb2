package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// bareWriters is the number of requests of the bare loop in flight: the number of the
// controller's workers.
const bareWriters = 32

// bareCreate creates copies of the slices and returns the time until all their endpoints
// have been seen.
func (s *stage) bareCreate(ctx context.Context, templates []discoveryv1.EndpointSlice, endpoints int) (time.Duration, error) {
	w, err := s.newWatcher(ctx)
	if err != nil {
		return 0, err
	}
	defer w.stop()
	w.expect(endpoints)
	client := s.core.DiscoveryV1().EndpointSlices(benchNamespace)
	begin := time.Now()
	err = each(ctx, bareWriters, 0, len(templates), func(ctx context.Context, index int) error {
		fresh := templates[index]
		fresh.UID, fresh.ResourceVersion, fresh.Generation, fresh.ManagedFields = "", "", 0, nil
		fresh.CreationTimestamp = metav1.Time{}
		_, err := client.Create(ctx, &fresh, metav1.CreateOptions{FieldManager: controllerName})
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("creating the EndpointSlices: %w", err)
	}
	end, err := w.wait(ctx)
	return end.Sub(begin), err
}

// A publisher updates the slice of a workload directly. The controller first has to find
// out that the update is necessary.
type publisher struct {
	stage *stage
	homes map[string]*home // by the name of the workload
}

// A home is a stored slice.
type home struct {
	mu    sync.Mutex
	slice *discoveryv1.EndpointSlice
}

func (s *stage) newPublisher(ctx context.Context) (*publisher, error) {
	stand, err := s.slices(ctx)
	if err != nil {
		return nil, err
	}
	p := &publisher{stage: s, homes: map[string]*home{}}
	for i := range stand {
		h := &home{slice: &stand[i]}
		for _, endpoint := range stand[i].Endpoints {
			p.homes[endpoint.TargetRef.Name] = h
		}
	}
	return p, nil
}

// publish makes one update.
func (p *publisher) publish(ctx context.Context, workload string, ready bool) error {
	h := p.homes[workload]
	if h == nil {
		return fmt.Errorf("workload %s is in no EndpointSlice", workload)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.slice.Endpoints {
		if e := &h.slice.Endpoints[i]; e.TargetRef.Name == workload {
			e.Conditions.Ready, e.Conditions.Serving = &ready, &ready
		}
	}
	stored, err := p.stage.core.DiscoveryV1().EndpointSlices(benchNamespace).Update(ctx, h.slice, metav1.UpdateOptions{FieldManager: controllerName})
	if err != nil {
		return fmt.Errorf("updating EndpointSlice %s: %w", h.slice.Name, err)
	}
	h.slice = stored
	return nil
}
