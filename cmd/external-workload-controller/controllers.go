package main

import (
	"context"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"

	"github.com/external-workload/controller/controller/endpointslice"
	"github.com/external-workload/controller/controller/readiness"
	"github.com/external-workload/controller/pkg/clusternetwork"
	"github.com/external-workload/controller/pkg/desired"
	"github.com/external-workload/controller/pkg/events"
	"github.com/external-workload/controller/pkg/metrics"
	"github.com/external-workload/controller/pkg/server"
)

// readinessWorkers is the number of workers that write the status of workloads.
const readinessWorkers = 16

// controllers are the controllers and informers of this process.
type controllers struct {
	informers []*endpointslice.Informers
	publisher *endpointslice.Controller
	readiness *readiness.Controller    // nil if switched off
	networks  *clusternetwork.Networks // nil if they may be probed, or nothing is
	events    *events.Broadcaster
	preflight *preflight
	// connect opens the connection for writes.
	connect func(context.Context)
	workers int
}

// newControllers creates the controllers. It starts nothing.
func newControllers(o *options, clients *clients, observer *metrics.Metrics) (*controllers, error) {
	namespaces := o.namespaces
	if len(namespaces) == 0 {
		namespaces = []string{metav1.NamespaceAll}
	}
	c := &controllers{
		events:    events.NewBroadcaster(clients.writeCore.EventsV1(), defaultName),
		preflight: newPreflight(clients, namespaces),
		connect:   clients.connect,
		workers:   o.workers,
	}
	for _, namespace := range namespaces {
		informers, err := endpointslice.NewInformers(clients.watchedCore, clients.watchedWorkloads, namespace, o.managedBy)
		if err != nil {
			return nil, err
		}
		c.informers = append(c.informers, informers)
	}
	var err error
	if o.readiness.enabled {
		if err = c.addReadiness(o, clients, c.events, observer); err != nil {
			return nil, err
		}
	}
	c.publisher, err = endpointslice.New(endpointslice.Config{
		Client:               clients.writeCore.DiscoveryV1(),
		Informers:            c.informers,
		Events:               c.events,
		Observer:             observer,
		QueueMetrics:         observer.WorkqueueProvider(),
		ManagedBy:            o.managedBy,
		FieldManager:         o.fieldManager,
		MaxEndpoints:         o.maxEndpoints,
		IgnoreProbes:         !o.readiness.enabled,
		WithholdSecondFamily: o.secondFamily == familyWithhold,
		Zones:                o.zones,
		Recovery: func() desired.Recovery {
			from, until := clients.interruption.Recovery()
			return desired.Recovery{From: from, Until: until}
		},
	})
	return c, err
}

// watch starts the informers and returns a function that stops them. It finds the
// cluster's own networks before anything can be probed.
func (c *controllers) watch(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	for _, informers := range c.informers {
		informers.Start(ctx)
	}
	wait := func() {}
	if c.networks != nil {
		wait = c.networks.Start(ctx)
	}
	return func() {
		cancel()
		wait()
		for _, informers := range c.informers {
			informers.Wait()
		}
	}
}

// run publishes until ctx is cancelled.
func (c *controllers) run(ctx context.Context) error {
	recording, stopRecording := context.WithCancel(context.WithoutCancel(ctx))
	defer stopRecording()
	if err := c.events.Start(recording); err != nil {
		return err
	}
	klog.FromContext(ctx).Info("Publishing")
	c.connect(ctx)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return c.publisher.Run(ctx, c.workers) })
	if c.readiness != nil {
		group.Go(func() error { return c.readiness.Run(ctx, readinessWorkers) })
	}
	err := group.Wait()
	if ctx.Err() != nil && err != nil && c.publisher.Synced() != nil {
		return nil // stopped while waiting for the caches
	}
	return err
}

// ready returns the checks behind /readyz.
func (c *controllers) ready() []server.Check {
	return []server.Check{
		{Name: "api-server", Check: func(context.Context) error { return c.preflight.Problem() }},
		{Name: "caches", Check: func(context.Context) error { return c.publisher.Synced() }},
	}
}

// live returns the checks behind /livez: each fails only if a restart would help.
func (c *controllers) live() []server.Check {
	checks := []server.Check{{Name: endpointslice.Name, Check: func(context.Context) error { return c.publisher.Stuck() }}}
	if c.readiness != nil {
		checks = append(checks, server.Check{Name: readiness.Name, Check: func(context.Context) error { return c.readiness.Stuck() }})
	}
	return checks
}
