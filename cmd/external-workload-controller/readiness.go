package main

import (
	"errors"

	"github.com/external-workload/controller/controller/readiness"
	"github.com/external-workload/controller/pkg/clusternetwork"
	"github.com/external-workload/controller/pkg/events"
	"github.com/external-workload/controller/pkg/metrics"
)

// addReadiness makes the readiness controller of all informers.
func (c *controllers) addReadiness(o *options, clients *clients, recorder events.Recorder, observer *metrics.Metrics) error {
	allow, errAllow := prefixes("probe-allow-cidr", o.readiness.allow)
	deny, errDeny := prefixes("probe-deny-cidr", o.readiness.deny)
	cluster, errCluster := prefixes("probe-cluster-network-cidr", o.readiness.cluster)
	if err := errors.Join(errAllow, errDeny, errCluster); err != nil {
		return err
	}
	config := readiness.Config{
		Client:           clients.writeWorkloads,
		Workloads:        c.informers[0].Workloads,
		Events:           recorder,
		Observer:         observer,
		QueueMetrics:     observer.WorkqueueProvider(),
		ProbeAllow:       allow,
		ProbeDeny:        deny,
		ProbeAllowHost:   o.readiness.allowHost,
		ProbeMemory:      o.readiness.memoryLimit.Value(),
		HoldRegarding:    holdRegarding(o, clients),
		HoldMaximum:      o.readiness.holdMaximum.config(),
		ProbeTimeRefresh: o.readiness.timeRefresh,
		DeleteExpired:    o.readiness.deleteExpired,
	}
	for _, i := range c.informers[1:] {
		config.MoreWorkloads = append(config.MoreWorkloads, i.Workloads)
	}
	if !o.readiness.allowCluster {
		c.networks = clusternetwork.New(clusternetwork.Config{Client: clients.core, Given: cluster, Hosts: clients.hosts})
		config.ClusterNetworks = c.networks.Ranges
	}
	var err error
	c.readiness, err = readiness.New(config)
	return err
}
