package main

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

const (
	// requests is large enough that an endpoint never misses its fair share by chance: each of
	// four endpoints gets 100, with a standard deviation of 9.
	requests = 400
	atLeast  = 50
)

// mixedService has two Pods and two VMs, whose slices come from two controllers.
func mixedService(ctx context.Context, c *cluster) error {
	const service = "mixed" // also the label of the Pods
	url, err := c.createService(ctx, service, nil)
	if err != nil {
		return err
	}
	labels := map[string]string{"app": service}
	if err := errors.Join(
		c.createPod(ctx, serverPod("pod-2")),
		c.createWorkload(ctx, workload("mixed-a", vms[1].address, labels)),
		c.createWorkload(ctx, workload("mixed-b", vms[2].address, labels)),
	); err != nil {
		return err
	}
	want := []string{"pod-1", "pod-2", "vm-a", "vm-b"}
	for _, name := range want {
		if err := waitAnswer(ctx, url, name); err != nil {
			return err
		}
	}
	counts, err := shares(ctx, url, requests)
	if err != nil {
		return err
	}
	c.note("%d requests went to %v", requests, counts)
	for _, name := range want {
		if counts[name] < atLeast {
			return fmt.Errorf("%s got %d of %d requests, want at least %d: %v", name, counts[name], requests, atLeast, counts)
		}
	}
	return nil
}

// zonesAreKept has a VM in the node's zone and one in another zone. Only the first gets
// requests, until it is not ready.
func zonesAreKept(ctx context.Context, c *cluster) error {
	const service = "zoned"
	url, err := c.createService(ctx, service, func(spec *corev1.ServiceSpec) {
		spec.TrafficDistribution = ptr.To(corev1.ServiceTrafficDistributionPreferSameZone)
	})
	if err != nil {
		return err
	}
	for _, w := range []struct{ name, address, zone string }{
		{"zoned-near", vms[1].address, nodeZone}, {"zoned-far", vms[2].address, "zone-b"},
	} {
		labels := map[string]string{"app": service, corev1.LabelTopologyZone: w.zone}
		if err := c.createWorkload(ctx, workload(w.name, w.address, labels)); err != nil {
			return err
		}
	}
	if err := errors.Join(
		c.waitPublished(ctx, service, []string{vms[1].address, vms[2].address}),
		c.onlyAnswers(ctx, url, "vm-a"),
		c.setReady(ctx, "zoned-near", v1beta1.ConditionFalse),
	); err != nil {
		return err
	}
	if err := c.onlyAnswers(ctx, url, "vm-b"); err != nil {
		return fmt.Errorf("without a ready endpoint in the zone: %w", err)
	}
	if err := c.setReady(ctx, "zoned-near", v1beta1.ConditionTrue); err != nil {
		return err
	}
	return c.onlyAnswers(ctx, url, "vm-a")
}

// onlyAnswers waits until the peer answers many consecutive requests.
func (c *cluster) onlyAnswers(ctx context.Context, url, name string) error {
	return until(ctx, func(ctx context.Context) error {
		counts, err := shares(ctx, url, quietRequests)
		if err == nil && counts[name] != quietRequests {
			err = fmt.Errorf("%v answered, want only %s", counts, name)
		}
		return err
	})
}
