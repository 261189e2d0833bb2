package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// updates is the number of updates without a leader, one every updateInterval.
	updates        = 30
	updateInterval = 100 * time.Millisecond
)

// deleteTheLeader deletes the leading Pod and changes workloads meanwhile. In the end all
// changes are published.
func deleteTheLeader(ctx context.Context, c *cluster) error {
	leader, err := c.leader(ctx)
	if err != nil {
		return err
	}
	if err := c.core.CoreV1().Pods(releaseNamespace).Delete(ctx, leader, metav1.DeleteOptions{}); err != nil {
		return err
	}
	if err := c.updatesArrive(ctx, "deleted"); err != nil {
		return err
	}
	next, err := c.leader(ctx)
	if err == nil && next == leader {
		err = fmt.Errorf("%s still leads, though it was deleted", leader)
	}
	return err
}

// killTheLeader ends the leading process with SIGKILL, so that the Lease is not released:
// the other Pod must wait until it expires.
func killTheLeader(ctx context.Context, c *cluster) error {
	if err := c.killLeadingProcess(ctx); err != nil {
		return err
	}
	return c.updatesArrive(ctx, "killed")
}

// killLeadingProcess ends it with SIGKILL; kubelet restarts it.
func (c *cluster) killLeadingProcess(ctx context.Context) error {
	leader, err := c.leader(ctx)
	if err != nil {
		return err
	}
	ids, err := c.ctr(ctx, "containers", "list", "--quiet",
		`labels."io.kubernetes.pod.name"==`+leader+`,labels."io.cri-containerd.kind"==container`)
	if err != nil {
		return err
	}
	running := strings.Fields(ids)
	if len(running) != 1 {
		return fmt.Errorf("the Pod %s has the containers %v, want one", leader, running)
	}
	_, err = c.ctr(ctx, "tasks", "kill", "--signal=SIGKILL", running[0])
	return err
}

// updatesArrive changes workloads of a new Service for a while, and waits until the
// remaining workloads are published and both Pods are ready again.
func (c *cluster) updatesArrive(ctx context.Context, service string) error {
	begin := time.Now()
	if _, err := c.createService(ctx, service, nil); err != nil {
		return err
	}
	want, err := c.updateMeanwhile(ctx, service)
	if err != nil {
		return err
	}
	last := time.Now()
	if err := c.waitPublished(ctx, service, want); err != nil {
		return err
	}
	c.note("%d changes in %.1fs; all published %.1fs after the last", updates+1, last.Sub(begin).Seconds(), time.Since(last).Seconds())
	return until(ctx, c.bothReady)
}

// updateMeanwhile creates workloads one after the other, deletes the first again, and
// returns the remaining addresses.
func (c *cluster) updateMeanwhile(ctx context.Context, service string) (addresses []string, err error) {
	ticker := time.NewTicker(updateInterval)
	defer ticker.Stop()
	for i := range updates {
		address := fmt.Sprintf("203.0.113.%d", i+1)
		if err := c.createWorkload(ctx, workload(fmt.Sprintf("%s-%d", service, i), address, map[string]string{"app": service})); err != nil {
			return nil, err
		}
		addresses = append(addresses, address)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	err = c.workloads.WorkloadV1beta1().ExternalWorkloads(namespace).Delete(ctx, service+"-0", metav1.DeleteOptions{})
	return addresses[1:], err
}

// leader returns the name of the Pod that holds the Lease.
func (c *cluster) leader(ctx context.Context) (string, error) {
	lease, err := c.core.CoordinationV1().Leases(releaseNamespace).Get(ctx, release, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	if lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity == "" {
		return "", errors.New("the Lease has no holder")
	}
	// The rest distinguishes restarts of a Pod.
	name, _, _ := strings.Cut(*lease.Spec.HolderIdentity, "_")
	return name, nil
}
