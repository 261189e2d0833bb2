package sliceapi_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/external-workload/controller/internal/plantest/sliceapi"
)

func newSlice(changes ...func(*discoveryv1.EndpointSlice)) *discoveryv1.EndpointSlice {
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: "default", GenerateName: "web-"},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{"192.0.2.1"}}},
		Ports: []discoveryv1.EndpointPort{
			{Name: ptr.To("http"), Port: ptr.To(int32(80)), Protocol: ptr.To(corev1.ProtocolTCP)},
		},
	}
	for _, change := range changes {
		change(slice)
	}
	return slice
}

func address(text string) func(*discoveryv1.EndpointSlice) {
	return func(slice *discoveryv1.EndpointSlice) { slice.Endpoints[0].Addresses = []string{text} }
}

func TestCreateRefusesWhatTheServerRefuses(t *testing.T) {
	for name, change := range map[string]func(*discoveryv1.EndpointSlice){
		"not an address":            address("localhost"),
		"leading zeros":             address("192.0.2.01"),
		"a space":                   address(" 192.0.2.1"),
		"the wrong family":          address("2001:db8::1"),
		"an unspecified address":    address("0.0.0.0"),
		"a loopback address":        address("127.0.0.1"),
		"a link-local address":      address("169.254.1.1"),
		"a link-local group":        address("224.0.0.1"),
		"no address":                func(s *discoveryv1.EndpointSlice) { s.Endpoints[0].Addresses = nil },
		"an unknown address type":   func(s *discoveryv1.EndpointSlice) { s.AddressType = "IPX" },
		"no name":                   func(s *discoveryv1.EndpointSlice) { s.GenerateName = "" },
		"a host name with a dot":    func(s *discoveryv1.EndpointSlice) { s.Endpoints[0].Hostname = ptr.To("a.b") },
		"two ports of one name":     func(s *discoveryv1.EndpointSlice) { s.Ports = append(s.Ports, s.Ports[0]) },
		"port 0":                    func(s *discoveryv1.EndpointSlice) { s.Ports[0].Port = ptr.To(int32(0)) },
		"an unknown protocol":       func(s *discoveryv1.EndpointSlice) { s.Ports[0].Protocol = ptr.To(corev1.Protocol("tcp")) },
		"more than 1000 endpoints":  func(s *discoveryv1.EndpointSlice) { s.Endpoints = make([]discoveryv1.Endpoint, 1001) },
		"IPv6 not in short form":    ipv6("2001:db8:0::1"),
		"IPv4 written as IPv6":      ipv6("::ffff:192.0.2.1"),
		"IPv6 with a zone":          ipv6("2001:db8::1%eth0"),
		"one zone twice in a hint":  hinted("west", "west"),
		"more than 8 zones hinted":  hinted("a", "b", "c", "d", "e", "f", "g", "h", "i"),
		"a hint for no zone at all": hinted(""),
	} {
		t.Run(name, func(t *testing.T) {
			api := &sliceapi.API{}
			if _, err := api.Create(newSlice(change)); !apierrors.IsInvalid(err) {
				t.Errorf("the slice was not refused as invalid: %v", err)
			}
			if stored := api.List(); len(stored) > 0 {
				t.Errorf("the refused slice was stored: %v", stored)
			}
		})
	}
}

func ipv6(text string) func(*discoveryv1.EndpointSlice) {
	return func(slice *discoveryv1.EndpointSlice) {
		slice.AddressType = discoveryv1.AddressTypeIPv6
		slice.Endpoints[0].Addresses = []string{text}
	}
}

func hinted(zones ...string) func(*discoveryv1.EndpointSlice) {
	return func(slice *discoveryv1.EndpointSlice) {
		slice.Endpoints[0].Hints = &discoveryv1.EndpointHints{}
		for _, zone := range zones {
			slice.Endpoints[0].Hints.ForZones = append(slice.Endpoints[0].Hints.ForZones, discoveryv1.ForZone{Name: zone})
		}
	}
}

func TestCreateTakesPortWithoutNumber(t *testing.T) {
	api := &sliceapi.API{}
	created, err := api.Create(newSlice(func(s *discoveryv1.EndpointSlice) { s.Ports[0].Port = nil }))
	if err != nil {
		t.Fatalf("the server takes a port without a number: %v", err)
	}
	if !strings.HasPrefix(created.Name, "web-") || created.UID == "" || created.ResourceVersion == "" || created.Generation != 1 {
		t.Errorf("the server fills in name, UID, resource version and generation; got %+v", created.ObjectMeta)
	}
}

func TestWritesInOrder(t *testing.T) {
	api := &sliceapi.API{}
	var log []string
	api.Observe = func(w sliceapi.Write) { log = append(log, string(w.Verb)) }
	created, err := api.Create(newSlice())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := api.Update(created); err != nil {
		t.Fatalf("an update that changes nothing: %v", err)
	}
	changed := created.DeepCopy()
	changed.Endpoints = nil
	updated, err := api.Update(changed)
	if err != nil {
		t.Fatal(err)
	}
	if updated.Generation != 2 || updated.ResourceVersion == created.ResourceVersion {
		t.Errorf("an update counts generation and resource version; got %+v", updated.ObjectMeta)
	}
	if _, err := api.Update(changed); !apierrors.IsConflict(err) {
		t.Errorf("an update of an old version must conflict: %v", err)
	}
	otherFamily := updated.DeepCopy()
	otherFamily.AddressType = discoveryv1.AddressTypeIPv6
	if _, err := api.Update(otherFamily); !apierrors.IsInvalid(err) {
		t.Errorf("the address type must not change: %v", err)
	}
	if err := api.Delete(created.Name, metav1.Preconditions{ResourceVersion: &created.ResourceVersion}); !apierrors.IsConflict(err) {
		t.Errorf("a deletion of an old version must conflict: %v", err)
	}
	if err := api.Delete(created.Name, metav1.Preconditions{UID: &created.UID, ResourceVersion: &updated.ResourceVersion}); err != nil {
		t.Errorf("a deletion whose preconditions hold: %v", err)
	}
	if err := api.Delete(created.Name, metav1.Preconditions{}); !apierrors.IsNotFound(err) {
		t.Errorf("a second deletion finds nothing: %v", err)
	}
	if diff := cmp.Diff([]string{"create", "update", "delete"}, log); diff != "" {
		t.Errorf("writes that took effect (-want +got):\n%s", diff)
	}
}

func TestFailures(t *testing.T) {
	for name, test := range map[string]struct {
		failure sliceapi.Failure
		is      func(error) bool
		effect  bool
	}{
		"an error before the effect":  {sliceapi.ErrorBefore, apierrors.IsInternalError, false},
		"a timeout after the effect":  {sliceapi.TimeoutAfter, apierrors.IsTimeout, true},
		"a conflict":                  {sliceapi.Conflict, apierrors.IsConflict, false},
		"no failure leaves no traces": {sliceapi.None, func(err error) bool { return err == nil }, true},
	} {
		t.Run(name, func(t *testing.T) {
			api := &sliceapi.API{}
			created, err := api.Create(newSlice())
			if err != nil {
				t.Fatal(err)
			}
			writes := 0
			api.Observe = func(sliceapi.Write) { writes++ }
			api.Fail = func(sliceapi.Verb, *discoveryv1.EndpointSlice) sliceapi.Failure { return test.failure }
			changed := created.DeepCopy()
			changed.Endpoints = nil
			if _, err := api.Update(changed); !test.is(err) {
				t.Errorf("the update's error is of another type: %v", err)
			}
			if err := api.Delete(created.Name, metav1.Preconditions{}); !test.is(err) {
				t.Errorf("the deletion's error is of another type: %v", err)
			}
			if gone := len(api.List()) == 0; gone != test.effect || (writes > 0) != test.effect {
				t.Errorf("deleted: %v, writes: %d; want an effect: %v", gone, writes, test.effect)
			}
		})
	}
}
