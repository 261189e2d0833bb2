package integration

import (
	"fmt"
	"slices"
	"testing"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/external-workload/controller/internal/build"
)

// TestLatency measures and prints the time from the start of a patch of a workload's
// readiness to the watch event of its slice. For comparison it also measures the time from
// the start of a bare update of a slice to its event.
func TestLatency(t *testing.T) {
	const flips = 300
	s := newSite(t, sharedPlane(t))
	s.service("web")
	s.workload("a")
	s.waitFor("web", "IPv4 http:8080/TCP | a 192.0.2.1")
	stream, err := s.core.DiscoveryV1().EndpointSlices(s.namespace).Watch(t.Context(), metav1.ListOptions{
		ResourceVersion: s.slicesOf("web")[0].ResourceVersion,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Stop()

	var published []time.Duration
	for i := range flips {
		ready := i%2 == 1
		begin := time.Now()
		s.setReady("a", ready)
		seen := awaitSlice(t, stream, func(slice *discoveryv1.EndpointSlice) bool {
			return len(slice.Endpoints) == 1 && *slice.Endpoints[0].Conditions.Ready == ready
		})
		published = append(published, seen.Sub(begin))
	}

	var bare []time.Duration
	slice, err := s.core.DiscoveryV1().EndpointSlices(s.namespace).Create(t.Context(), &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: "bare", Labels: map[string]string{discoveryv1.LabelManagedBy: "test"}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{build.EndpointPort("http", 8080)},
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{"192.0.2.1"}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range flips {
		slice.Endpoints[0].Conditions.Ready = new(i%2 == 1)
		begin := time.Now()
		if slice, err = s.core.DiscoveryV1().EndpointSlices(s.namespace).Update(t.Context(), slice, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		seen := awaitSlice(t, stream, func(seen *discoveryv1.EndpointSlice) bool { return seen.ResourceVersion == slice.ResourceVersion })
		bare = append(bare, seen.Sub(begin))
	}
	t.Logf("from the start of a status patch to the slice's event: %s", quantiles(published))
	t.Logf("from the start of a bare update to its event:          %s", quantiles(bare))
}

// awaitSlice reads events until one shows a slice as expected, and returns the time.
func awaitSlice(t *testing.T, stream watch.Interface, awaited func(*discoveryv1.EndpointSlice) bool) time.Time {
	t.Helper()
	tooLate := time.After(30 * time.Second)
	for {
		select {
		case event := <-stream.ResultChan():
			if slice, ok := event.Object.(*discoveryv1.EndpointSlice); ok && awaited(slice) {
				return time.Now()
			}
		case <-tooLate:
			t.Fatal("there was no event of the slice within 30 seconds")
		}
	}
}

func quantiles(times []time.Duration) string {
	slices.Sort(times)
	at := func(q float64) time.Duration {
		return times[int(q*float64(len(times)-1))].Round(10 * time.Microsecond)
	}
	return fmt.Sprintf("p50 %s, p90 %s, p99 %s, longest %s of %d", at(0.5), at(0.9), at(0.99), at(1), len(times))
}
