package integration

import (
	"slices"
	"testing"

	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/desired"
)

// TestAddresses compares the addresses that the API server accepts in an EndpointSlice with
// those that we publish: none that it refuses, and only unicast addresses.
func TestAddresses(t *testing.T) {
	s := newIdleSite(t, sharedPlane(t))
	// Older versions accept addresses that are not in canonical form.
	lenient := []string{"192.0.02.1", "::ffff:192.0.2.1", "2001:DB8:0::1", "2001:db8::192.0.2.9"}
	for address, test := range map[string]struct{ taken, published bool }{
		"192.0.2.1":           {true, true},
		"10.0.0.1":            {true, true},
		"2001:db8::1":         {true, true},
		"fd00::1":             {true, true},
		"64:ff9b::c000:201":   {true, true},
		"":                    {false, false},
		" 192.0.2.1":          {false, false},
		"192.0.2.1 ":          {false, false},
		"192.0.2":             {false, false},
		"192.0.2.256":         {false, false},
		"192.0.02.1":          {false, false},
		"192.0.2.1:80":        {false, false},
		"192.0.2.0/24":        {false, false},
		"vm.example.org":      {false, false},
		"0.0.0.0":             {false, false},
		"127.0.0.1":           {false, false},
		"127.9.9.9":           {false, false},
		"169.254.169.254":     {false, false},
		"224.0.0.1":           {false, false},
		"239.1.1.1":           {true, false},
		"255.255.255.255":     {true, false},
		"::":                  {false, false},
		"::1":                 {false, false},
		"::ffff:192.0.2.1":    {false, false},
		"fe80::1":             {false, false},
		"2001:db8::1%eth0":    {false, false},
		"ff02::1":             {false, false},
		"ff0e::1":             {true, false},
		"[2001:db8::1]":       {false, false},
		"2001:db8:::1":        {false, false},
		"2001:db8::1::1":      {false, false},
		"1:2:3:4:5:6:7:8:9":   {false, false},
		"2001:DB8:0::1":       {false, true},
		"2001:db8::192.0.2.9": {false, true},
	} {
		t.Run(address, func(t *testing.T) {
			published, is := publishedAs(address)
			if is != test.published {
				t.Errorf("published is %t, want %t", is, test.published)
			}
			if is && !s.takes(t, published) {
				t.Errorf("the API server refuses the published address %s", published)
			}
			switch taken := s.takes(t, address); {
			case taken && slices.Contains(lenient, address):
				t.Log("left out: the API server accepts addresses that are not in canonical form")
			case taken != test.taken:
				t.Errorf("accepted by the API server: %t, want %t", taken, test.taken)
			}
		})
	}
}

// publishedAs returns the address that is published for an address of a workload.
func publishedAs(address string) (published string, is bool) {
	workload := desired.NewWorkload(build.Workload("shop/a", build.IPs(address)), nil, desired.Sighting{})
	var state desired.State
	state.Compute(build.Service("shop/web", build.Families()), []*desired.Workload{workload}, desired.Options{})
	for _, family := range state.Families {
		for _, endpoint := range family.Endpoints {
			return endpoint.Address, true
		}
	}
	return "", false
}

// takes reports whether the API server accepts an address in a slice of one of the families.
func (s *site) takes(t *testing.T, address string) bool {
	t.Helper()
	for _, family := range []discoveryv1.AddressType{discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv6} {
		_, err := s.core.DiscoveryV1().EndpointSlices(s.namespace).Create(t.Context(), &discoveryv1.EndpointSlice{
			ObjectMeta:  metav1.ObjectMeta{GenerateName: "try-"},
			AddressType: family,
			Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{address}}},
		}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err == nil {
			return true
		}
		if !apierrors.IsInvalid(err) {
			t.Fatal(err)
		}
	}
	return false
}

// TestWhatTheServerAccepts checks the API server's validation, on which the rules of the
// controller depend: what the API server accepts, the controller must check itself.
func TestWhatTheServerAccepts(t *testing.T) {
	s := newIdleSite(t, sharedPlane(t))
	slice := func(change func(*discoveryv1.EndpointSlice)) *discoveryv1.EndpointSlice {
		made := &discoveryv1.EndpointSlice{
			ObjectMeta:  metav1.ObjectMeta{GenerateName: "try-"},
			AddressType: discoveryv1.AddressTypeIPv4,
			Ports:       []discoveryv1.EndpointPort{build.EndpointPort("http", 80)},
			Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{"192.0.2.1"}}},
		}
		change(made)
		return made
	}
	for name, test := range map[string]struct {
		slice *discoveryv1.EndpointSlice
		taken bool
	}{
		"a port without number": {slice(func(s *discoveryv1.EndpointSlice) { s.Ports[0].Port = nil }), true},
		"one address twice": {slice(func(s *discoveryv1.EndpointSlice) {
			s.Endpoints = append(s.Endpoints, s.Endpoints[0])
		}), true},
		"a hostname with a dot": {slice(func(s *discoveryv1.EndpointSlice) { s.Endpoints[0].Hostname = new("vm.example") }), false},
		"a hostname that is too long": {slice(func(s *discoveryv1.EndpointSlice) {
			s.Endpoints[0].Hostname = new("a123456789-123456789-123456789-123456789-123456789-123456789-1234")
		}), false},
		"a thousand endpoints": {slice(func(s *discoveryv1.EndpointSlice) {
			for range 999 {
				s.Endpoints = append(s.Endpoints, s.Endpoints[0])
			}
		}), true},
		"more than a thousand endpoints": {slice(func(s *discoveryv1.EndpointSlice) {
			for range 1000 {
				s.Endpoints = append(s.Endpoints, s.Endpoints[0])
			}
		}), false},
		"two ports of one name": {slice(func(s *discoveryv1.EndpointSlice) { s.Ports = append(s.Ports, s.Ports[0]) }), false},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.core.DiscoveryV1().EndpointSlices(s.namespace).Create(t.Context(), test.slice, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			if err != nil && !apierrors.IsInvalid(err) {
				t.Fatal(err)
			}
			if taken := err == nil; taken != test.taken {
				t.Errorf("accepted is %t, want %t (%v)", taken, test.taken, err)
			}
		})
	}
}

func TestAddressTypeCannotBeChanged(t *testing.T) {
	s := newIdleSite(t, sharedPlane(t))
	slices := s.core.DiscoveryV1().EndpointSlices(s.namespace)
	created, err := slices.Create(t.Context(), &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Name: "four"}, AddressType: discoveryv1.AddressTypeIPv4,
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	created.AddressType = discoveryv1.AddressTypeIPv6
	if _, err := slices.Update(t.Context(), created, metav1.UpdateOptions{}); !apierrors.IsInvalid(err) {
		t.Errorf("got %v, want invalid", err)
	}
}
