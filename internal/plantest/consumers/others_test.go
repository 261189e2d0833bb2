package consumers_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/external-workload/controller/internal/plantest/consumers"
)

func TestKubeProxy(t *testing.T) {
	for name, test := range map[string]struct {
		slices []*discoveryv1.EndpointSlice
		zone   string
		want   []string
	}{
		"all slices are merged by address and port": {
			slices: []*discoveryv1.EndpointSlice{
				newSlice("s1", newEndpoint("one", addressA), newEndpoint("two", addressB)),
				newSlice("s2", newEndpoint("three", addressA)),
				newSlice("s3", []discoveryv1.EndpointPort{newPort("http", 9090)}, newEndpoint("one", addressA)),
			},
			want: []string{socketA, "192.0.2.1:9090", socketB},
		},
		"not ready ones are left out": {
			slices: []*discoveryv1.EndpointSlice{newSlice("s1", newEndpoint("one", addressA), newEndpoint("two", addressB, conditions(false, true, true)))},
			want:   []string{socketA},
		},
		"serving and terminating ones are used while none is ready": {
			slices: []*discoveryv1.EndpointSlice{newSlice("s1", newEndpoint("one", addressA, notReady), newEndpoint("two", addressB, conditions(false, true, true)))},
			want:   []string{socketB},
		},
		"a slice of another family does not count": {
			slices: []*discoveryv1.EndpointSlice{newSlice("s1", discoveryv1.AddressTypeIPv6, newEndpoint("one", address6))},
		},
		"a slice of a headless Service is ignored": {
			slices: []*discoveryv1.EndpointSlice{newSlice("s1", headless{}, newEndpoint("one", addressA))},
		},
		"hints count if every ready endpoint has one": {
			slices: []*discoveryv1.EndpointSlice{newSlice("s1", newEndpoint("one", addressA, hint("west")), newEndpoint("two", addressB, hint("east")))},
			zone:   "west",
			want:   []string{socketA},
		},
		"an endpoint that is not ready needs no hint": {
			slices: []*discoveryv1.EndpointSlice{newSlice("s1", newEndpoint("one", addressA, hint("west")), newEndpoint("two", addressB, notReady))},
			zone:   "west",
			want:   []string{socketA},
		},
		"one ready endpoint without a hint turns hints off": {
			slices: []*discoveryv1.EndpointSlice{newSlice("s1", newEndpoint("one", addressA, hint("west")), newEndpoint("two", addressB))},
			zone:   "east",
			want:   []string{socketA, socketB},
		},
		"slices that disagree make a socket uncertain": {
			slices: []*discoveryv1.EndpointSlice{newSlice("s1", newEndpoint("one", addressA)), newSlice("s2", newEndpoint("two", addressA, notReady))},
			want:   []string{socketA + "?"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			proxy := consumers.NewKubeProxy(discoveryv1.AddressTypeIPv4, test.zone)
			for _, slice := range test.slices {
				proxy.Observe(nil, slice)
			}
			var got []string
			proxy.Serves("http", func(socket consumers.Socket, certain bool) {
				if certain {
					got = append(got, socket.String())
				} else {
					got = append(got, socket.String()+"?")
				}
			})
			slices.Sort(got)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("sockets served (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDNS(t *testing.T) {
	for name, test := range map[string]struct {
		slice     *discoveryv1.EndpointSlice
		addresses []string
		services  []string
	}{
		"a host name is an address and a service record": {
			slice:     newSlice("s1", newEndpoint("one", addressA, hostname("one"))),
			addresses: []string{"one " + addressA},
			services:  []string{"one " + socketA},
		},
		"without a host name it is the dashed address": {
			slice:     newSlice("s1", newEndpoint("one", addressA)),
			addresses: []string{"192-0-2-1 " + addressA},
			services:  []string{"192-0-2-1 " + socketA},
		},
		"IPv6 is dashed too": {
			slice:     newSlice("s1", discoveryv1.AddressTypeIPv6, newEndpoint("one", address6)),
			addresses: []string{"2001-db8--1 " + address6},
			services:  []string{"2001-db8--1 " + socket6},
		},
		"ready false is absent": {
			slice: newSlice("s1", newEndpoint("one", addressA, notReady)),
		},
		"without ports there is an address and no service record": {
			slice:     newSlice("s1", []discoveryv1.EndpointPort{}, newEndpoint("one", addressA)),
			addresses: []string{"192-0-2-1 " + addressA},
		},
	} {
		t.Run(name, func(t *testing.T) {
			dns := consumers.NewDNS()
			dns.Observe(nil, test.slice)
			var addresses, services []string
			dns.Addresses(func(hostname, address string) { addresses = append(addresses, hostname+" "+address) })
			dns.Services("http", func(hostname string, socket consumers.Socket) {
				services = append(services, hostname+" "+socket.String())
			})
			if diff := cmp.Diff(test.addresses, addresses); diff != "" {
				t.Errorf("address records (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.services, services); diff != "" {
				t.Errorf("service records (-want +got):\n%s", diff)
			}
			dns.Observe(test.slice, nil)
			dns.Addresses(func(hostname, address string) { t.Errorf("%s %s outlives its slice", hostname, address) })
		})
	}
}
