package kubeproxy

import (
	"reflect"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubernetes/pkg/proxy"

	"github.com/external-workload/controller/internal/plantest"
	"github.com/external-workload/controller/internal/plantest/consumers"
)

// nodeName is the node of all proxies. No endpoint is on it.
const nodeName = "node-1"

// node is kube-proxy on one node for one address family. It uses kube-proxy's packages like
// its proxiers, and implements plantest.Proxy.
type node struct {
	zone      string
	tracker   *proxy.EndpointsChangeTracker
	endpoints proxy.EndpointsMap
	service   proxy.ServicePort
	slices    map[string]*discoveryv1.EndpointSlice
}

var _ plantest.Proxy = (*node)(nil)

func newNode(family discoveryv1.AddressType, zone string) *node {
	return &node{
		zone:      zone,
		tracker:   proxy.NewEndpointsChangeTracker(corev1.IPFamily(family), nodeName, nil, nil),
		endpoints: proxy.EndpointsMap{},
		service:   servicePort(corev1.IPFamily(family)),
		slices:    map[string]*discoveryv1.EndpointSlice{},
	}
}

// servicePort returns kube-proxy's form of a Service without traffic policies.
func servicePort(family corev1.IPFamily) proxy.ServicePort {
	address := "10.96.0.1"
	if family == corev1.IPv6Protocol {
		address = "fd00:96::1"
	}
	tracker := proxy.NewServiceChangeTracker(family, nil, nil)
	tracker.Update(nil, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: plantest.Namespace, Name: plantest.ServiceName},
		Spec: corev1.ServiceSpec{
			ClusterIP: address, ClusterIPs: []string{address}, IPFamilies: []corev1.IPFamily{family},
			Ports: []corev1.ServicePort{{Port: 80, Protocol: corev1.ProtocolTCP}},
		},
	})
	ports := proxy.ServicePortMap{}
	ports.Update(tracker)
	for _, port := range ports {
		return port
	}
	panic("kube-proxy takes no port of the Service")
}

// selected reports whether kube-proxy's watch includes a slice.
func selected(slice *discoveryv1.EndpointSlice) bool {
	if slice == nil {
		return false
	}
	_, headless := slice.Labels[corev1.IsHeadlessService]
	return !headless && slice.Labels[discoveryv1.LabelServiceName] != ""
}

// Observe implements plantest.Proxy.
func (n *node) Observe(previous, current *discoveryv1.EndpointSlice) {
	switch {
	case selected(current):
		n.tracker.EndpointSliceUpdate(current, false)
		n.slices[current.Name] = current
	case selected(previous):
		n.tracker.EndpointSliceUpdate(previous, true)
		delete(n.slices, previous.Name)
	default:
		return
	}
	n.endpoints.Update(n.tracker)
}

// Serves implements plantest.Proxy.
func (n *node) Serves(port string, visit func(socket consumers.Socket, certain bool)) {
	for name, endpoints := range n.endpoints {
		if name.Port != port {
			continue
		}
		_, _, reachable, _ := proxy.CategorizeEndpoints(endpoints, n.service, nodeName, map[string]string{corev1.LabelTopologyZone: n.zone})
		for _, endpoint := range reachable {
			socket := consumers.Socket{Address: endpoint.IP(), Port: int32(endpoint.Port())}
			visit(socket, !n.disputed(port, socket))
		}
	}
}

// disputed reports whether slices differ about a socket. kube-proxy then uses the one that
// comes last in a random map order.
func (n *node) disputed(port string, socket consumers.Socket) bool {
	var first *discoveryv1.Endpoint
	for _, slice := range n.slices {
		for i := range slice.Ports {
			if p := &slice.Ports[i]; p.Name == nil || *p.Name != port || p.Port == nil || *p.Port != socket.Port {
				continue
			}
			for j := range slice.Endpoints {
				e := &slice.Endpoints[j]
				if len(e.Addresses) == 0 || e.Addresses[0] != socket.Address {
					continue
				}
				if first != nil && (!reflect.DeepEqual(first.Conditions, e.Conditions) || !reflect.DeepEqual(first.Hints, e.Hints)) {
					return true
				}
				first = e
			}
		}
	}
	return false
}

// sockets returns the sockets that a proxy certainly serves, and those that it may serve.
func sockets(p plantest.Proxy, port string) (sure, perhaps map[consumers.Socket]bool) {
	sure, perhaps = map[consumers.Socket]bool{}, map[consumers.Socket]bool{}
	p.Serves(port, func(socket consumers.Socket, certain bool) {
		if certain {
			sure[socket] = true
		} else {
			perhaps[socket] = true
		}
	})
	return sure, perhaps
}

// compared runs kube-proxy and its model, and fails the test if they differ.
type compared struct {
	*node
	model *consumers.KubeProxy
	t     testing.TB
}

func newCompared(t testing.TB, family discoveryv1.AddressType, zone string) *compared {
	return &compared{node: newNode(family, zone), model: consumers.NewKubeProxy(family, zone), t: t}
}

// Observe implements plantest.Proxy.
func (c *compared) Observe(previous, current *discoveryv1.EndpointSlice) {
	c.node.Observe(previous, current)
	c.model.Observe(previous, current)
}

// Serves implements plantest.Proxy.
func (c *compared) Serves(port string, visit func(socket consumers.Socket, certain bool)) {
	real, disputed := sockets(c.node, port)
	modelled, uncertain := sockets(c.model, port)
	if len(disputed) == 0 && len(uncertain) == 0 && !reflect.DeepEqual(real, modelled) {
		c.t.Errorf("kube-proxy in zone %q serves %v as port %q, its model serves %v", c.zone, real, port, modelled)
	}
	c.node.Serves(port, visit)
}
