package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/test/internal/process"
)

const (
	// replacements is how many machines take the place of another, side by side in
	// two lanes: kube-proxy needs up to a second to follow each change.
	replacements, lanes = 100, 2
	// firstReplacementPort is the port of the first machine; each has its own.
	firstReplacementPort = 9000
)

// machine is a server and the workload that represents it.
type machine struct {
	name   string
	server *process.Process
}

// replacementLosesNothing replaces a machine a hundred times under load: the next
// one joins, the present one drains, and its server ends once no request reaches
// it. No request fails, also while the leading process is killed in the middle.
func replacementLosesNothing(ctx context.Context, c *cluster) error {
	const service = "replaced"
	url, err := c.createService(ctx, service, nil)
	if err != nil {
		return err
	}
	var first [lanes]machine
	for lane := range first {
		if first[lane], err = c.join(ctx, service, lane, 0); err != nil {
			return err
		}
	}
	if err := waitAnswer(ctx, url, first[0].name); err != nil {
		return err
	}
	all, err := c.losesNothing(ctx, service, url, func(l *load) error {
		group, ctx := errgroup.WithContext(ctx)
		for lane := range first {
			group.Go(func() error { return c.replaceAll(ctx, service, lane, first[lane], l) })
		}
		return group.Wait()
	})
	if err != nil {
		return err
	}
	c.note("%d machines replaced, %d requests, none lost", replacements, all)
	return nil
}

// replaceAll replaces the machine of a lane again and again.
func (c *cluster) replaceAll(ctx context.Context, service string, lane int, present machine, l *load) error {
	group, ctx := errgroup.WithContext(ctx)
	for i := range replacements / lanes {
		if lane == 0 && i == replacements/lanes/2 {
			if err := c.killLeadingProcess(ctx); err != nil {
				return errors.Join(err, group.Wait())
			}
		}
		next, err := c.join(ctx, service, lane, i+1)
		if err == nil {
			err = l.waitReached(ctx, next.name, time.Time{})
		}
		if err == nil {
			err = c.drain(ctx, service, present.name)
		}
		if err != nil {
			return errors.Join(err, group.Wait())
		}
		drained := present
		group.Go(func() error { return c.leave(ctx, drained, l) })
		present = next
	}
	return group.Wait()
}

// waitReached waits until a request has reached the peer after the time.
func (l *load) waitReached(ctx context.Context, name string, after time.Time) error {
	return until(ctx, func(context.Context) error {
		if l.first(name, after).IsZero() {
			return fmt.Errorf("no request has reached %s", name)
		}
		return nil
	})
}

// join starts a server and its workload, and waits until it is published.
func (c *cluster) join(ctx context.Context, service string, lane, number int) (machine, error) {
	m := machine{name: fmt.Sprintf("%s-%d-%d", service, lane, number)}
	port := firstReplacementPort + 1000*lane + number
	address := "192.168.77.14"
	var err error
	m.server, err = c.startWorkload(ctx, vm{name: m.name, address: address, port: port}, map[string]string{"app": service})
	if err != nil {
		return m, fmt.Errorf("joining %s: %w", net.JoinHostPort(address, strconv.Itoa(port)), err)
	}
	return m, c.waitReady(ctx, service, m.name, true)
}

// drain marks a machine, and waits until its endpoint is not ready any more.
func (c *cluster) drain(ctx context.Context, service, name string) error {
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:"replaced"}}}`, v1beta1.DrainAnnotation)
	_, err := c.workloads.WorkloadV1beta1().ExternalWorkloads(namespace).Patch(ctx, name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	if err != nil {
		return fmt.Errorf("draining %s: %w", name, err)
	}
	return c.waitReady(ctx, service, name, false)
}

// leave ends a drained machine once no request reaches it.
func (c *cluster) leave(ctx context.Context, m machine, l *load) error {
	if err := l.waitQuiet(ctx, m.name); err != nil {
		return err
	}
	m.server.Kill()
	if err := c.workloads.WorkloadV1beta1().ExternalWorkloads(namespace).Delete(ctx, m.name, metav1.DeleteOptions{}); err != nil {
		return fmt.Errorf("deleting %s: %w", m.name, err)
	}
	return nil
}

// waitReady waits until a workload has a ready endpoint of the Service, or none.
func (c *cluster) waitReady(ctx context.Context, service, name string, want bool) error {
	return until(ctx, func(ctx context.Context) error {
		endpoints, err := c.readyEndpoints(ctx, service)
		if err != nil {
			return err
		}
		ready := slices.ContainsFunc(endpoints, func(e discoveryv1.Endpoint) bool { return e.TargetRef != nil && e.TargetRef.Name == name })
		if ready != want {
			return fmt.Errorf("the endpoint of %s is ready: %t, want %t", name, ready, want)
		}
		return nil
	})
}
