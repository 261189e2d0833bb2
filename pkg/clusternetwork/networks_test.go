package clusternetwork

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

func serviceNetwork(name string, ranges ...string) *networkingv1.ServiceCIDR {
	return &networkingv1.ServiceCIDR{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: networkingv1.ServiceCIDRSpec{CIDRs: ranges}}
}

func endpointsOf(service string, addresses ...string) *discoveryv1.EndpointSlice {
	return &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "default", Name: service, Labels: map[string]string{discoveryv1.LabelServiceName: service},
		},
		Endpoints: []discoveryv1.Endpoint{{Addresses: addresses}},
	}
}

func texts(ranges []netip.Prefix) []string {
	var all []string
	for _, prefix := range ranges {
		all = append(all, prefix.String())
	}
	return all
}

func TestRanges(t *testing.T) {
	notServed := apierrors.NewNotFound(schema.GroupResource{Resource: "servicecidrs"}, "")
	for name, test := range map[string]struct {
		objects []runtime.Object
		fails   map[string]error // by resource
		given   []netip.Prefix
		hosts   []string
		want    []string
		problem string
	}{
		"nothing found": {},
		"Service networks of both families and an additional one": {
			objects: []runtime.Object{serviceNetwork("kubernetes", "10.96.0.0/12", "fd00:10:96::/108"), serviceNetwork("more", "10.200.0.0/16")},
			want:    []string{"10.96.0.0/12", "10.200.0.0/16", "fd00:10:96::/108"},
		},
		"all API servers and no other Service's endpoints": {
			objects: []runtime.Object{endpointsOf("kubernetes", "192.0.2.6", "192.0.2.7"), endpointsOf("web", "192.0.2.8")},
			want:    []string{"192.0.2.6/32", "192.0.2.7/32"},
		},
		"the API server's hosts": {
			hosts: []string{"10.96.0.1", "", "2001:db8::6", "api.example.org"},
			want:  []string{"10.96.0.1/32", "198.51.100.1/32", "2001:db8::6/128"},
		},
		"a host that cannot be resolved": {hosts: []string{"nowhere.example.org"}, problem: "resolve the API server's name"},
		"given ranges, once": {
			given:   []netip.Prefix{netip.MustParsePrefix("10.244.0.0/16"), netip.MustParsePrefix("10.96.0.0/12")},
			objects: []runtime.Object{serviceNetwork("kubernetes", "10.96.0.0/12")},
			want:    []string{"10.96.0.0/12", "10.244.0.0/16"},
		},
		"an API server without ServiceCIDRs": {
			fails: map[string]error{"servicecidrs": notServed}, objects: []runtime.Object{endpointsOf("kubernetes", "192.0.2.6")},
			want: []string{"192.0.2.6/32"}, problem: "it has no ServiceCIDR",
		},
		"no permission to list slices": {
			fails: map[string]error{"endpointslices": errors.New("forbidden")}, objects: []runtime.Object{serviceNetwork("kubernetes", "10.96.0.0/12")},
			want: []string{"10.96.0.0/12"}, problem: "default/kubernetes: forbidden",
		},
	} {
		t.Run(name, func(t *testing.T) {
			client := fake.NewClientset(test.objects...)
			for resource, err := range test.fails {
				client.PrependReactor("list", resource, func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, err })
			}
			networks := New(Config{Client: client, Given: test.given, Hosts: test.hosts, Lookup: lookup})
			err := networks.Refresh(t.Context())
			if (err != nil) != (test.problem != "") || err != nil && !strings.Contains(err.Error(), test.problem) {
				t.Errorf("the problem is %v, want %q", err, test.problem)
			}
			if diff := cmp.Diff(test.want, texts(networks.Ranges())); diff != "" {
				t.Errorf("ranges (-want +got):\n%s", diff)
			}
		})
	}
}

func lookup(_ context.Context, name string) ([]netip.Addr, error) {
	if name != "api.example.org" {
		return nil, fmt.Errorf("no such host")
	}
	return []netip.Addr{netip.MustParseAddr("198.51.100.1")}, nil
}

func TestGivenRangesAreKnownBeforeTheFirstRefresh(t *testing.T) {
	networks := New(Config{Given: []netip.Prefix{netip.MustParsePrefix("10.244.0.0/16")}})
	if diff := cmp.Diff([]string{"10.244.0.0/16"}, texts(networks.Ranges())); diff != "" {
		t.Errorf("ranges (-want +got):\n%s", diff)
	}
}

func TestNetworksStayKnownWhileTheAPIServerIsAway(t *testing.T) {
	client := fake.NewClientset(serviceNetwork("kubernetes", "10.96.0.0/12"), endpointsOf("kubernetes", "192.0.2.6"))
	networks := New(Config{Client: client})
	if err := networks.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	client.PrependReactor("list", "*", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, errors.New("away") })
	if err := networks.Refresh(t.Context()); err == nil {
		t.Error("no problem is reported")
	}
	if diff := cmp.Diff([]string{"10.96.0.0/12", "192.0.2.6/32"}, texts(networks.Ranges())); diff != "" {
		t.Errorf("ranges (-want +got):\n%s", diff)
	}
}

func TestAServiceNetworkThatIsAddedIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset(serviceNetwork("kubernetes", "10.96.0.0/12"))
		ctx, cancel := context.WithCancel(t.Context())
		networks := New(Config{Client: client})
		wait := networks.Start(ctx)
		if diff := cmp.Diff([]string{"10.96.0.0/12"}, texts(networks.Ranges())); diff != "" {
			t.Errorf("ranges after the start (-want +got):\n%s", diff)
		}
		if err := client.Tracker().Add(serviceNetwork("more", "10.200.0.0/16")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(refreshInterval)
		synctest.Wait()
		if diff := cmp.Diff([]string{"10.96.0.0/12", "10.200.0.0/16"}, texts(networks.Ranges())); diff != "" {
			t.Errorf("ranges after a refresh (-want +got):\n%s", diff)
		}
		cancel()
		wait()
	})
}
