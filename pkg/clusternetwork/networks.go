// Package clusternetwork finds the address ranges of the cluster itself: those of its
// Services and API servers, as far as the API server publishes them, and those that the
// operator configures, such as the Pod network. The address policy of probes refuses
// these ranges.
package clusternetwork

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"
)

const (
	// refreshInterval is the time between two refreshes. Service networks and API
	// servers change rarely.
	refreshInterval = 5 * time.Minute
	// refreshTimeout is the timeout for all requests of one refresh.
	refreshTimeout = 10 * time.Second
)

// Config has the dependencies and settings of Networks.
type Config struct {
	// Client lists ServiceCIDRs and the EndpointSlices of the Service
	// default/kubernetes.
	Client kubernetes.Interface
	// Given are ranges that the operator configures.
	Given []netip.Prefix
	// Hosts are the hosts under which this process reaches the API server: IP
	// addresses or DNS names. Empty ones are ignored.
	Hosts []string
	// Lookup resolves a DNS name; nil for the resolver of the system.
	Lookup func(ctx context.Context, name string) ([]netip.Addr, error)
}

// Networks are the ranges of the cluster itself.
type Networks struct {
	config  Config
	sources []source
	ranges  atomic.Pointer[[]netip.Prefix]
}

// source finds some of the ranges. While it fails, its last result stays valid.
type source struct {
	find  func(context.Context) ([]netip.Prefix, error)
	found []netip.Prefix
}

// New returns Networks that have only the given ranges until they are refreshed.
func New(config Config) *Networks {
	if config.Lookup == nil {
		config.Lookup = func(ctx context.Context, name string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
		}
	}
	n := &Networks{config: config}
	n.sources = []source{{find: n.hosts}, {find: n.serviceNetworks}, {find: n.apiServers}}
	n.ranges.Store(&config.Given)
	return n
}

// Ranges returns the ranges. It is cheap and safe for concurrent use; the result
// must not be changed.
func (n *Networks) Ranges() []netip.Prefix { return *n.ranges.Load() }

// Refresh updates the ranges. If some cannot be found, it returns an error that names
// them; the ranges are then those that are known. It must not be called concurrently.
func (n *Networks) Refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, refreshTimeout)
	defer cancel()
	all := slices.Clone(n.config.Given)
	var errs []error
	for i := range n.sources {
		found, err := n.sources[i].find(ctx)
		if err != nil {
			errs = append(errs, err)
		} else {
			n.sources[i].found = found
		}
		all = append(all, n.sources[i].found...)
	}
	slices.SortFunc(all, netip.Prefix.Compare)
	all = slices.Compact(all)
	n.ranges.Store(&all)
	return errors.Join(errs...)
}

// Start refreshes once, then periodically until ctx is cancelled. It returns after the
// first refresh; wait returns after the last.
func (n *Networks) Start(ctx context.Context) (wait func()) {
	logged := n.refreshAndLog(ctx, "")
	var running sync.WaitGroup
	running.Go(func() {
		ticker := time.NewTicker(refreshInterval)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				logged = n.refreshAndLog(ctx, logged)
			}
		}
	})
	return running.Wait
}

// refreshAndLog refreshes, logs the ranges and the error if they differ from logged,
// and returns what was logged.
func (n *Networks) refreshAndLog(ctx context.Context, logged string) string {
	problem := n.Refresh(ctx)
	state := fmt.Sprint(n.Ranges(), problem)
	if state == logged || ctx.Err() != nil {
		return logged
	}
	logger := klog.FromContext(ctx)
	logger.Info("Addresses of the cluster's own networks are not probed", "ranges", fmt.Sprint(n.Ranges()))
	if problem != nil {
		logger.Info("Failed to find some networks of the cluster; set them with --probe-cluster-network-cidr", "problem", problem.Error())
	}
	return state
}

// hosts returns the addresses under which this process reaches the API server.
func (n *Networks) hosts(ctx context.Context) ([]netip.Prefix, error) {
	var found []netip.Prefix
	for _, host := range n.config.Hosts {
		if host == "" {
			continue
		}
		if a, err := netip.ParseAddr(host); err == nil {
			found = append(found, single(a))
			continue
		}
		addresses, err := n.config.Lookup(ctx, host)
		if err != nil {
			return nil, fmt.Errorf("resolve the API server's name: %w", err)
		}
		for _, a := range addresses {
			found = append(found, single(a))
		}
	}
	return found, nil
}

// serviceNetworks returns the ranges of ClusterIPs.
func (n *Networks) serviceNetworks(ctx context.Context) ([]netip.Prefix, error) {
	list, err := n.config.Client.NetworkingV1().ServiceCIDRs().List(ctx, metav1.ListOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, errors.New("this version of Kubernetes does not publish its Service networks: it has no ServiceCIDR")
	case err != nil:
		return nil, fmt.Errorf("list ServiceCIDRs: %w", err)
	}
	var found []netip.Prefix
	for i := range list.Items {
		for _, text := range list.Items[i].Spec.CIDRs {
			prefix, err := netip.ParsePrefix(text)
			if err != nil {
				return nil, fmt.Errorf("parse a range of ServiceCIDR %s: %w", list.Items[i].Name, err)
			}
			found = append(found, prefix.Masked())
		}
	}
	return found, nil
}

// apiServers returns the addresses behind the Service default/kubernetes.
func (n *Networks) apiServers(ctx context.Context) ([]netip.Prefix, error) {
	list, err := n.config.Client.DiscoveryV1().EndpointSlices(metav1.NamespaceDefault).List(ctx, metav1.ListOptions{
		LabelSelector: discoveryv1.LabelServiceName + "=kubernetes",
	})
	if err != nil {
		return nil, fmt.Errorf("list the EndpointSlices of Service default/kubernetes: %w", err)
	}
	var found []netip.Prefix
	for i := range list.Items {
		for j := range list.Items[i].Endpoints {
			for _, text := range list.Items[i].Endpoints[j].Addresses {
				if a, err := netip.ParseAddr(text); err == nil {
					found = append(found, single(a))
				}
			}
		}
	}
	return found, nil
}

// single returns the range of one address.
func single(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	return netip.PrefixFrom(a, a.BitLen())
}
