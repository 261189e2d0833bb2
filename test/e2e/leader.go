package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

const (
	// updates are made while nobody leads, one every updateInterval.
	updates        = 30
	updateInterval = 200 * time.Millisecond
)

// loseTheLeader kills the leading Pod at once, as a node that fails would, and
// changes workloads meanwhile. All that was changed is published in the end.
func loseTheLeader(ctx context.Context, c *cluster) error {
	const service = "busy"
	if _, err := c.createService(ctx, service, nil); err != nil {
		return err
	}
	leader, err := c.leader(ctx)
	if err != nil {
		return err
	}
	if err := c.core.CoreV1().Pods(releaseNamespace).Delete(ctx, leader,
		metav1.DeleteOptions{GracePeriodSeconds: ptr.To(int64(0))}); err != nil {
		return err
	}
	begin := time.Now()
	want, err := c.updateMeanwhile(ctx, service)
	if err != nil {
		return err
	}
	if err := c.waitPublished(ctx, service, want); err != nil {
		return err
	}
	c.note("%d changes from the leader's end on were published %.1fs after it", updates+1, time.Since(begin).Seconds())
	next, err := c.leader(ctx)
	if err != nil {
		return err
	}
	if next == leader {
		return fmt.Errorf("%s still leads, though it was deleted", leader)
	}
	return until(ctx, c.bothReady)
}

// updateMeanwhile makes workloads, one after the other, takes the first away
// again, and gives the addresses that are left.
func (c *cluster) updateMeanwhile(ctx context.Context, service string) (addresses []string, err error) {
	ticker := time.NewTicker(updateInterval)
	defer ticker.Stop()
	for i := range updates {
		address := fmt.Sprintf("203.0.113.%d", i+1)
		if err := c.createWorkload(ctx, workload(fmt.Sprintf("busy-%d", i), address, map[string]string{"app": service})); err != nil {
			return nil, err
		}
		addresses = append(addresses, address)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	err = c.workloads.WorkloadV1beta1().ExternalWorkloads(namespace).Delete(ctx, "busy-0", metav1.DeleteOptions{})
	return addresses[1:], err
}

// leader is the name of the Pod that holds the Lease.
func (c *cluster) leader(ctx context.Context) (string, error) {
	lease, err := c.core.CoordinationV1().Leases(releaseNamespace).Get(ctx, release, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	if lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity == "" {
		return "", errors.New("nobody holds the Lease")
	}
	// The rest makes the identity of each start of a Pod its own.
	name, _, _ := strings.Cut(*lease.Spec.HolderIdentity, "_")
	return name, nil
}
