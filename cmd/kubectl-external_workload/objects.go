package main

import (
	"context"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/desired"
	"github.com/external-workload/controller/pkg/explain"
)

// Defaults of the controller, if neither a flag nor a slice shows its settings.
const (
	defaultManagedBy    = "linkerd-external-workloads-controller"
	defaultMaxEndpoints = 100
	withhold            = "withhold"
)

// controllerFlags are settings of the controller, for those that its slices do not
// show.
type controllerFlags struct {
	managedBy    string
	maxEndpoints int
	secondFamily string
	readiness    bool
	zones        desired.Zones
}

func (c *controllerFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&c.managedBy, "managed-by", "", "the controller's --managed-by; if empty, read from the slices")
	flags.IntVar(&c.maxEndpoints, "max-endpoints-per-slice", defaultMaxEndpoints, "the controller's --max-endpoints-per-slice")
	flags.StringVar(&c.secondFamily, "second-family", "", "the controller's --second-family, publish or withhold; if empty, read from the slices")
	flags.BoolVar(&c.readiness, "readiness", true, "the controller's --readiness; with false, it ignores probes and declarations, and only the condition Ready counts")
	flags.Var(&c.zones, "zone-from-cidr", "the controller's --zone-from-cidr")
}

// options combines the flags with the settings that the slices show.
func (c *controllerFlags) options(published []*discoveryv1.EndpointSlice, now time.Time) explain.Options {
	observed := explain.Observe(published)
	options := explain.Options{
		Options:      desired.Options{ManagedBy: c.managedBy, IgnoreProbes: !c.readiness, Zones: c.zones, Now: now},
		MaxEndpoints: max(c.maxEndpoints, 1),
	}
	if options.ManagedBy == "" {
		options.ManagedBy = observed.ManagedBy
	}
	if options.ManagedBy == "" {
		options.ManagedBy = defaultManagedBy
	}
	options.WithholdSecondFamily = c.secondFamily == withhold || c.secondFamily == "" && observed.SecondFamilyWithheld
	return options
}

// cluster has the objects of one namespace or of all.
type cluster struct {
	objects explain.Objects
	options explain.Options
}

// readCluster lists the three resources.
func (p *program) readCluster(ctx context.Context, namespace string) (explain.Objects, error) {
	c, err := p.connect()
	if err != nil {
		return explain.Objects{}, err
	}
	var (
		objects explain.Objects
		group   errgroup.Group
	)
	group.Go(func() error {
		list, err := c.workloads.WorkloadV1beta1().ExternalWorkloads(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return requestFailed("list", "externalworkloads.workload.linkerd.io", namespace, err)
		}
		objects.Workloads = pointers[v1beta1.ExternalWorkload](list.Items)
		return nil
	})
	group.Go(func() error {
		list, err := c.core.CoreV1().Services(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return requestFailed("list", "services", namespace, err)
		}
		objects.Services = pointers[corev1.Service](list.Items)
		return nil
	})
	group.Go(func() error {
		list, err := c.core.DiscoveryV1().EndpointSlices(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return requestFailed("list", "endpointslices.discovery.k8s.io", namespace, err)
		}
		objects.Slices = pointers[discoveryv1.EndpointSlice](list.Items)
		return nil
	})
	return objects, group.Wait()
}

func pointers[T any](items []T) []*T {
	all := make([]*T, len(items))
	for i := range items {
		all[i] = &items[i]
	}
	return all
}

// namespaces returns the namespaces with a workload.
func (c *cluster) namespaces() []string {
	var names []string
	for _, w := range c.objects.Workloads {
		names = append(names, w.Namespace)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// in returns the objects of one namespace for package explain.
func (c *cluster) in(namespace string) *explain.Namespace {
	return explain.New(namespace, c.objects, c.options)
}

// gather reads the cluster, the manifests, or the manifests over the cluster.
func (p *program) gather(ctx context.Context, namespace string, manifests *manifestObjects, local bool) (*cluster, error) {
	now := time.Now()
	if local {
		options := p.controller.options(nil, now)
		options.OnlyManifests = true
		return &cluster{manifests.objects(options.Options), options}, nil
	}
	objects, err := p.readCluster(ctx, namespace)
	if err != nil {
		return nil, err
	}
	options := p.controller.options(objects.Slices, now)
	if objects, err = manifests.over(objects, options.Options); err != nil {
		return nil, err
	}
	return &cluster{objects, options}, nil
}

// words joins arguments for an error message.
func words(args []string) string { return strings.Join(args, " ") }
