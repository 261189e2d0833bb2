package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	"golang.org/x/sync/errgroup"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/test/process"
)

const (
	// replacements is how many machines take the place of another.
	replacements = 100
	// leaving is how many drained machines may wait for their last request at a
	// time: kube-proxy needs up to a second to follow, and the next replacement
	// does not wait for that.
	leaving = 8
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
	present, err := c.join(ctx, service, 0)
	if err != nil {
		return err
	}
	if err := waitAnswer(ctx, url, present.name); err != nil {
		return err
	}
	l := startLoad(ctx, url, clients)
	err = c.replaceAll(ctx, service, present, l)
	failed, all := l.end()
	if err != nil {
		return err
	}
	for _, f := range failed {
		c.note("one of %d requests: %v", all, f.err)
	}
	if len(failed) > 0 {
		return fmt.Errorf("%d of %d requests failed", len(failed), all)
	}
	c.note("%d machines replaced, %d requests, none lost", replacements, all)
	return nil
}

func (c *cluster) replaceAll(ctx context.Context, service string, present machine, l *load) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(leaving)
	for i := range replacements {
		if i == replacements/2 {
			if err := c.killLeadingProcess(ctx); err != nil {
				return errors.Join(err, group.Wait())
			}
		}
		next, err := c.join(ctx, service, i+1)
		if err != nil {
			return errors.Join(err, group.Wait())
		}
		if err := c.drain(ctx, service, present.name); err != nil {
			return errors.Join(err, group.Wait())
		}
		drained := present
		group.Go(func() error { return c.leave(ctx, drained, l) })
		present = next
	}
	return group.Wait()
}

// join starts a server and its workload, and waits until it is published.
func (c *cluster) join(ctx context.Context, service string, number int) (machine, error) {
	m := machine{name: fmt.Sprintf("%s-%d", service, number)}
	port := firstReplacementPort + number
	address := "192.168.77.14"
	var err error
	if m.server, err = c.startVM(ctx, vm{name: m.name, address: address, port: port}); err != nil {
		return m, err
	}
	w := workload(m.name, address, map[string]string{"app": service})
	w.Spec.Ports = []v1beta1.PortSpec{{Name: "http", Port: int32(port)}}
	if err := c.createWorkload(ctx, w); err != nil {
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
		list, err := c.core.DiscoveryV1().EndpointSlices(namespace).List(ctx,
			metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + service})
		if err != nil {
			return err
		}
		ready := false
		for _, slice := range list.Items {
			for _, e := range slice.Endpoints {
				ready = ready || e.TargetRef != nil && e.TargetRef.Name == name && *e.Conditions.Ready
			}
		}
		if ready != want {
			return fmt.Errorf("the endpoint of %s is ready: %t, want %t", name, ready, want)
		}
		return nil
	})
}
