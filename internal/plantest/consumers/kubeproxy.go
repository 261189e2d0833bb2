package consumers

import (
	"slices"

	discoveryv1 "k8s.io/api/discovery/v1"
	utilnet "k8s.io/utils/net"
)

// KubeProxy models kube-proxy for one Service and one address family: the
// endpoints of all slices, merged by address and port.
type KubeProxy struct {
	family discoveryv1.AddressType
	zone   string
	slices sliceSet
}

// NewKubeProxy returns a kube-proxy for the family on a node in the zone, or without a
// zone if it is empty.
func NewKubeProxy(family discoveryv1.AddressType, zone string) *KubeProxy {
	return &KubeProxy{family: family, zone: zone}
}

// Observe records one write. A creation has no previous slice, a
// deletion no current one.
func (k *KubeProxy) Observe(previous, current *discoveryv1.EndpointSlice) {
	k.slices.observe(previous, current)
}

// backend is one address and port with the conditions under which it is used.
type backend struct {
	socket             Socket
	ready, servingLast bool
	hinted, local      bool
}

// Serves calls visit with each socket to which the named port is balanced.
//
// If two slices disagree about a socket, kube-proxy may use either. The model then
// reports the socket with certain unset if one of the slices makes it usable.
func (k *KubeProxy) Serves(port string, visit func(socket Socket, certain bool)) {
	backends := k.backends(port)
	anyReady, allHinted, anyLocal := false, true, false
	for i := range backends {
		if backends[i].ready {
			anyReady = true
			allHinted = allHinted && backends[i].hinted
			anyLocal = anyLocal || backends[i].local
		}
	}
	byZone := k.zone != "" && anyReady && allHinted && anyLocal
	used := func(b *backend) bool {
		if !anyReady {
			return b.servingLast
		}
		return b.ready && (!byZone || b.local)
	}
	for i := range backends {
		if !used(&backends[i]) || slices.ContainsFunc(backends[:i], func(b backend) bool {
			return b.socket == backends[i].socket && used(&b)
		}) {
			continue
		}
		certain := !slices.ContainsFunc(backends, func(b backend) bool {
			return b.socket == backends[i].socket && !used(&b)
		})
		visit(backends[i].socket, certain)
	}
}

func (k *KubeProxy) backends(name string) []backend {
	var backends []backend
	for _, slice := range k.slices {
		if _, headless := slice.Labels["service.kubernetes.io/headless"]; headless || slice.AddressType != k.family {
			continue
		}
		port, found := findPort(slice, name)
		if !found || port.Port == nil {
			continue
		}
		for i := range slice.Endpoints {
			endpoint := &slice.Endpoints[i]
			if len(endpoint.Addresses) > 0 {
				backends = append(backends, k.backend(endpoint, *port.Port))
			}
		}
	}
	return backends
}

func (k *KubeProxy) backend(endpoint *discoveryv1.Endpoint, port int32) backend {
	conditions := &endpoint.Conditions
	ready := isReady(endpoint)
	serving := conditions.Serving == nil || *conditions.Serving
	b := backend{
		socket:      Socket{utilnet.ParseIPSloppy(endpoint.Addresses[0]).String(), port},
		ready:       ready,
		servingLast: serving && conditions.Terminating != nil && *conditions.Terminating,
	}
	if endpoint.Hints != nil {
		b.hinted = len(endpoint.Hints.ForZones) > 0
		for _, zone := range endpoint.Hints.ForZones {
			b.local = b.local || zone.Name == k.zone
		}
	}
	return b
}

// sliceSet holds the current slices of one Service, ordered by name.
type sliceSet []*discoveryv1.EndpointSlice

func (s *sliceSet) observe(previous, current *discoveryv1.EndpointSlice) {
	written := current
	if written == nil {
		written = previous
	}
	at, found := slices.BinarySearchFunc(*s, written.Name, func(slice *discoveryv1.EndpointSlice, name string) int {
		if slice.Name < name {
			return -1
		}
		if slice.Name > name {
			return 1
		}
		return 0
	})
	switch {
	case current == nil && found:
		*s = slices.Delete(*s, at, at+1)
	case current != nil && found:
		(*s)[at] = current
	case current != nil:
		*s = slices.Insert(*s, at, current)
	}
}
