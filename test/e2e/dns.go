package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/external-workload/controller/test/internal/controlplane"
)

// corefile serves the cluster's names at the node's address, without caching.
const corefile = `cluster.local {
  bind %[1]s
  ready 127.0.0.1:8181
  errors
  kubernetes cluster.local {
    kubeconfig %[2]s
    ttl 0
  }
}
`

// startDNS starts CoreDNS and creates its usual Service, with a hand-written EndpointSlice
// because CoreDNS does not run in a Pod.
func startDNS(ctx context.Context, c *cluster) error {
	config := filepath.Join(c.work, "Corefile")
	if err := os.WriteFile(config, fmt.Appendf(nil, corefile, c.nodeIP, c.plane.Kubeconfig()), 0o600); err != nil {
		return err
	}
	if _, err := c.start(ctx, "coredns", controlplane.Healthy("http://127.0.0.1:8181/ready"), []string{c.bin("coredns"), "-conf", config}); err != nil {
		return err
	}
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "kube-dns"},
		Spec: corev1.ServiceSpec{
			ClusterIP: clusterDNS,
			Ports:     []corev1.ServicePort{{Name: "dns", Port: 53, Protocol: corev1.ProtocolUDP}},
		},
	}
	if _, err := c.core.CoreV1().Services(metav1.NamespaceSystem).Create(ctx, service, metav1.CreateOptions{}); err != nil {
		return err
	}
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: "kube-dns", Labels: map[string]string{discoveryv1.LabelServiceName: "kube-dns"}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{c.nodeIP}}},
		Ports:       []discoveryv1.EndpointPort{{Name: ptr.To("dns"), Port: ptr.To(int32(53)), Protocol: ptr.To(corev1.ProtocolUDP)}},
	}
	if _, err := c.core.DiscoveryV1().EndpointSlices(metav1.NamespaceSystem).Create(ctx, slice, metav1.CreateOptions{}); err != nil {
		return err
	}
	return c.waitAddresses(ctx, "kubernetes.default", []string{"10.96.0.1"})
}

// resolver queries CoreDNS at its ClusterIP.
func resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, network, net.JoinHostPort(clusterDNS, "53"))
	}}
}

// fullName returns the full name of a name below svc.
func fullName(name string) string { return name + ".svc.cluster.local." }

// waitAddresses waits until the name has exactly these addresses.
func (c *cluster) waitAddresses(ctx context.Context, name string, want []string) error {
	slices.Sort(want)
	return until(ctx, func(ctx context.Context) error {
		addresses, err := resolver().LookupHost(ctx, fullName(name))
		slices.Sort(addresses)
		if err == nil && !slices.Equal(addresses, want) {
			err = fmt.Errorf("%s has the addresses %v, want %v", name, addresses, want)
		}
		return err
	})
}

// headlessRecords checks that a headless Service has the records of Kubernetes' DNS
// specification: all addresses, a name for each VM, and SRV records.
func headlessRecords(ctx context.Context, c *cluster) error {
	const service = "headless"
	want := map[string]string{"head-a": "192.168.77.11", "head-b": "192.168.77.12"}
	if _, err := c.createService(ctx, service, func(spec *corev1.ServiceSpec) { spec.ClusterIP = corev1.ClusterIPNone }); err != nil {
		return err
	}
	var all []string
	for name, address := range want {
		if err := c.createWorkload(ctx, workload(name, address, map[string]string{"app": service})); err != nil {
			return err
		}
		all = append(all, address)
	}
	if err := c.waitAddresses(ctx, service+"."+namespace, all); err != nil {
		return err
	}
	for name, address := range want {
		if err := c.waitAddresses(ctx, name+"."+service+"."+namespace, []string{address}); err != nil {
			return err
		}
	}
	_, records, err := resolver().LookupSRV(ctx, "http", "tcp", fullName(service+"."+namespace))
	if err != nil {
		return err
	}
	var targets []string
	for _, record := range records {
		targets = append(targets, fmt.Sprintf("%s:%d", strings.Split(record.Target, ".")[0], record.Port))
	}
	slices.Sort(targets)
	if want := []string{"head-a:8080", "head-b:8080"}; !slices.Equal(targets, want) {
		return fmt.Errorf("the targets of the SRV records are %v, want %v", targets, want)
	}
	return nil
}
