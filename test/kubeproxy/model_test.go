package kubeproxy

import (
	"fmt"
	"math/rand/v2"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/internal/plantest"
)

// TestModelAgreesOnAnySlice writes random slices, also kinds that no history has, and compares
// kube-proxy with its model.
func TestModelAgreesOnAnySlice(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	served := 0
	for range 2000 {
		for _, zone := range []string{"", "west"} {
			c := newCompared(t, discoveryv1.AddressTypeIPv4, zone)
			for i := range 1 + random.IntN(3) {
				slice := build.Slice(fmt.Sprintf("%s/s%d", plantest.Namespace, i))
				slice.Labels[discoveryv1.LabelServiceName] = plantest.ServiceName
				for j := range random.IntN(4) {
					slice.Endpoints = append(slice.Endpoints, anyEndpoint(random, fmt.Sprintf("192.0.2.%d", 4*i+j)))
				}
				c.Observe(nil, slice)
			}
			sure, _ := sockets(c, "http")
			served += len(sure)
			if t.Failed() {
				t.Fatal("stopped at the first difference")
			}
		}
	}
	if served == 0 {
		t.Error("nothing was served, so nothing was compared")
	}
}

// anyEndpoint returns an endpoint with random conditions and hints.
func anyEndpoint(random *rand.Rand, address string) discoveryv1.Endpoint {
	condition := func() *bool { return []*bool{nil, new(true), new(false)}[random.IntN(3)] }
	e := discoveryv1.Endpoint{
		Addresses:  []string{address},
		Conditions: discoveryv1.EndpointConditions{Ready: condition(), Serving: condition(), Terminating: condition()},
	}
	if zone := []string{"", "west", "east"}[random.IntN(3)]; zone != "" {
		e.Hints = &discoveryv1.EndpointHints{ForZones: []discoveryv1.ForZone{{Name: zone}}}
	}
	return e
}

// TestLocality checks which endpoints the clients on a node get from a Service with a Pod on
// this node, a Pod on another node in another zone, and machines.
func TestLocality(t *testing.T) {
	const here, there = "10.0.0.1", "10.0.0.2" // the Pods
	pods := func(distribution string) *discoveryv1.EndpointSlice {
		slice := build.Slice(plantest.Namespace + "/pods")
		slice.Labels[discoveryv1.LabelServiceName] = plantest.ServiceName
		for _, pod := range []struct{ address, node, zone string }{{here, nodeName, "west"}, {there, "node-2", "east"}} {
			e := discoveryv1.Endpoint{Addresses: []string{pod.address}, NodeName: &pod.node, Zone: &pod.zone, Conditions: discoveryv1.EndpointConditions{Ready: new(true)}}
			switch distribution {
			case corev1.ServiceTrafficDistributionPreferSameNode:
				e.Hints = &discoveryv1.EndpointHints{ForZones: []discoveryv1.ForZone{{Name: pod.zone}}, ForNodes: []discoveryv1.ForNode{{Name: pod.node}}}
			case corev1.ServiceTrafficDistributionPreferSameZone:
				e.Hints = &discoveryv1.EndpointHints{ForZones: []discoveryv1.ForZone{{Name: pod.zone}}}
			}
			slice.Endpoints = append(slice.Endpoints, e)
		}
		return slice
	}
	for sentence, row := range map[string]struct {
		distribution string
		machines     []machine
		zone         string
		want         []string
	}{
		"without a distribution, all get traffic": {
			machines: []machine{{"192.0.2.1", "west"}, {"192.0.2.2", ""}}, zone: "west",
			want: []string{here, there, "192.0.2.1", "192.0.2.2"},
		},
		"same zone: the Pod and the machine in it": {
			distribution: corev1.ServiceTrafficDistributionPreferSameZone,
			machines:     []machine{{"192.0.2.1", "west"}, {"192.0.2.2", "east"}}, zone: "west",
			want: []string{here, "192.0.2.1"},
		},
		"same zone: one machine without a zone label turns it off for the whole Service": {
			distribution: corev1.ServiceTrafficDistributionPreferSameZone,
			machines:     []machine{{"192.0.2.1", "west"}, {"192.0.2.2", ""}}, zone: "west",
			want: []string{here, there, "192.0.2.1", "192.0.2.2"},
		},
		"same node: the Pod on this node, whatever machines there are": {
			distribution: corev1.ServiceTrafficDistributionPreferSameNode,
			machines:     []machine{{"192.0.2.1", "west"}, {"192.0.2.2", ""}}, zone: "west",
			want: []string{here},
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			n := newNode(discoveryv1.AddressTypeIPv4, row.zone)
			n.Observe(nil, pods(row.distribution))
			for _, slice := range published(t, row.distribution, row.machines) {
				n.Observe(nil, slice)
			}
			checkAddresses(t, n, row.want)
		})
	}
}
