package endpointslice

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	discoveryclient "k8s.io/client-go/kubernetes/typed/discovery/v1"

	"github.com/external-workload/controller/internal/build"
)

// silent is an API server that does not answer while it sleeps.
type silent struct {
	discoveryclient.EndpointSlicesGetter

	mu    sync.Mutex
	awake chan struct{}
}

// sleep makes updates of the Service api's slices wait until wake is called.
func (s *silent) sleep() (wake func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	awake := make(chan struct{})
	s.awake = awake
	return func() { close(awake) }
}

func (s *silent) EndpointSlices(namespace string) discoveryclient.EndpointSliceInterface {
	return silentSlices{s.EndpointSlicesGetter.EndpointSlices(namespace), s}
}

type silentSlices struct {
	discoveryclient.EndpointSliceInterface
	server *silent
}

func (s silentSlices) Update(ctx context.Context, slice *discoveryv1.EndpointSlice, options metav1.UpdateOptions) (*discoveryv1.EndpointSlice, error) {
	s.server.mu.Lock()
	awake := s.server.awake
	s.server.mu.Unlock()
	if awake != nil && slice.Labels[discoveryv1.LabelServiceName] == "api" {
		select {
		case <-awake:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return s.EndpointSliceInterface.Update(ctx, slice, options)
}

// inSilentWorld has the Services web and api, the workload a, and a server that can
// sleep.
func inSilentWorld(t *testing.T, test func(*world, *silent)) {
	t.Helper()
	server := &silent{}
	wrap := func(config *Config) {
		server.EndpointSlicesGetter, config.Client = config.Client, server
	}
	inWorldWith(t, given(build.Service("shop/web"), build.Service("shop/api"), build.Workload("shop/a")), wrap, func(w *world) {
		w.writes()
		test(w, server)
	})
}

func TestRequestWithoutAnswerTimesOutAndOthersContinue(t *testing.T) {
	inSilentWorld(t, func(w *world, server *silent) {
		wake := server.sleep()
		w.put(build.Workload("shop/a", build.NotReady()))
		w.mustWrite("update")
		w.mustPublish("api IPv4 http:8080 | a 192.0.2.1", "web IPv4 http:8080 | a 192.0.2.1 not ready")
		w.pass(requestTimeout + time.Second)
		w.mustWrite("update timeout")
		wake()
		w.pass(time.Second)
		w.mustPublish("api IPv4 http:8080 | a 192.0.2.1 not ready", "web IPv4 http:8080 | a 192.0.2.1 not ready")
	})
}

func TestStopWaitsForTheWriteInFlightAndBeginsNoOther(t *testing.T) {
	inSilentWorld(t, func(w *world, server *silent) {
		wake := server.sleep()
		w.put(build.Workload("shop/a", build.IPs("192.0.2.7")))
		w.mustPublish("api IPv4 http:8080 | a 192.0.2.1", "web IPv4 http:8080 | a 192.0.2.7")
		w.writes()
		stopped := make(chan struct{})
		go func() {
			w.stop()
			close(stopped)
		}()
		synctest.Wait()
		select {
		case <-stopped:
			t.Error("it stopped while a write was in flight")
		default:
		}
		wake()
		<-stopped
		w.mustWrite("update")
		w.mustPublish("api IPv4 http:8080 | a 192.0.2.1 not ready", "web IPv4 http:8080 | a 192.0.2.7")
	})
}
