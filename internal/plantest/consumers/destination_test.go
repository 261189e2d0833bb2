package consumers_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/external-workload/controller/internal/plantest/consumers"
)

// observed sends writes to a destination service with one client that subscribed at the
// beginning.
type observed struct {
	*consumers.Destination
	slices     map[string]*discoveryv1.EndpointSlice
	identities map[string]string
	client     *consumers.Client
	sent       []string
}

func newObserved() *observed {
	o := &observed{
		slices:     map[string]*discoveryv1.EndpointSlice{},
		identities: map[string]string{"one": "id-1", "two": "id-2"},
	}
	o.Destination = consumers.NewDestination(func(_, name string) (consumers.Identity, bool) {
		identity, found := o.identities[name]
		return consumers.Identity{Name: identity}, found
	}, "http")
	o.client = o.Subscribe("http", "")
	o.client.Send = func(message string) { o.sent = append(o.sent, message) }
	return o
}

func (o *observed) write(slice *discoveryv1.EndpointSlice) {
	o.Observe(o.slices[slice.Name], slice)
	o.slices[slice.Name] = slice
}

func (o *observed) delete(name string) {
	o.Observe(o.slices[name], nil)
	delete(o.slices, name)
}

// forgetSent restricts the case to what is sent from here on.
func (o *observed) forgetSent() { o.sent = nil }

func (o *observed) fresh() string {
	var has []string
	o.Fresh("http", func(socket consumers.Socket, identity consumers.Identity) {
		has = append(has, socket.String()+" "+identity.Name)
	})
	slices.Sort(has)
	return strings.Join(has, ", ")
}

func (o *observed) has() string {
	var has []string
	for socket, identity := range o.client.Has() {
		has = append(has, socket.String()+" "+identity.Name)
	}
	slices.Sort(has)
	return strings.Join(has, ", ")
}

const (
	addressA = "192.0.2.1"
	addressB = "192.0.2.2"
	address6 = "2001:db8::1"

	socketA = "192.0.2.1:8080"
	socketB = "192.0.2.2:8080"
	socket6 = "[2001:db8::1]:8080"
)

// TestDestination has a case for each change that was observed with the real service:
// what an open client is sent, its state afterwards, and what a new client receives.
func TestDestination(t *testing.T) {
	for name, test := range destinationCases {
		t.Run(name, func(t *testing.T) {
			o := newObserved()
			test.given(o)
			o.forgetSent()
			test.change(o)
			got := observation{sent: strings.Join(o.sent, ", "), client: o.has(), fresh: o.fresh()}
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(observation{})); diff != "" {
				t.Errorf("the real service (-) and the model (+) differ:\n%s", diff)
			}
		})
	}
}

func TestDestinationCrashesOnPortWithoutNumber(t *testing.T) {
	o := newObserved()
	port := newPort("http", 0)
	port.Port = nil
	o.write(newSlice("s1", []discoveryv1.EndpointPort{port}))
	if !o.Crashed() {
		t.Error("the model continues after a port without a number; the real service crashes")
	}
}

func TestDestinationFiltersByZoneOnlyWhenEveryEndpointHasHint(t *testing.T) {
	o := newObserved()
	west := o.Subscribe("http", "west")
	sockets := func() string {
		var has []string
		for socket := range west.Has() {
			has = append(has, socket.String())
		}
		slices.Sort(has)
		return strings.Join(has, ", ")
	}
	for _, step := range []struct {
		name     string
		endpoint discoveryv1.Endpoint
		want     string
	}{
		{"one without a hint turns the filter off", newEndpoint("two", addressB), socketA + ", " + socketB},
		{"the other zone is left out", newEndpoint("two", addressB, hint("east")), socketA},
		{"several hints are a choice", newEndpoint("two", addressB, hint("east", "west")), socketA + ", " + socketB},
	} {
		o.write(newSlice("s1", newEndpoint("one", addressA, hint("west")), step.endpoint))
		if diff := cmp.Diff(step.want, sockets()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
	}
	o.write(newSlice("s1", newEndpoint("one", addressA, hint("east"))))
	if diff := cmp.Diff(socketA, sockets()); diff != "" {
		t.Errorf("without a local endpoint, not all are used (-want +got):\n%s", diff)
	}
}
