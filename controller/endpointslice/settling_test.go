package endpointslice

import (
	"testing"
	"time"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/desired"
)

// TestChangedIdentitySettles: we observed Linkerd's destination service announce the old
// identity when an endpoint was published 5 ms after its workload changed.
func TestChangedIdentitySettles(t *testing.T) {
	inWorld(t, given(build.Service("shop/web"), build.Workload("shop/a")), func(w *world) {
		w.writes()
		w.put(build.Workload("shop/a", build.MeshTLS("new", "new")))
		w.pass(99 * time.Millisecond)
		w.mustWrite()
		w.pass(time.Millisecond)
		w.mustWrite("update", "update")
		w.mustPublish("web IPv4 http:8080 | a 192.0.2.1")
	})
}

// TestServiceSettles: we observed Linkerd's destination service handle the deletion of a
// Service after the slices of the next Service of that name.
func TestServiceSettles(t *testing.T) {
	inWorld(t, given(build.Service("shop/web"), build.Workload("shop/a")), func(w *world) {
		w.writes()
		w.remove("service web")
		w.put(build.Service("shop/web", build.UID("next"), build.Created(time.Now())))
		w.pass(99 * time.Millisecond)
		for _, slice := range w.slices() {
			if len(slice.Endpoints) > 0 {
				t.Errorf("endpoints are published too early: %s", lineOf(&slice))
			}
		}
		w.pass(time.Millisecond)
		w.mustPublish("web IPv4 http:8080 | a 192.0.2.1")

		w.put(build.Service("shop/old"))
		w.mustPublish("old IPv4 http:8080 | a 192.0.2.1", "web IPv4 http:8080 | a 192.0.2.1")
	})
}

// TestSecondStepAwaitsRecovery: we observed that consumers which list again after an API
// server is back see only the second of two writes.
func TestSecondStepAwaitsRecovery(t *testing.T) {
	var recovery desired.Recovery
	inWorldWith(t, given(build.Service("shop/web"), build.Workload("shop/a")), func(c *Config) {
		c.Recovery = func() desired.Recovery { return recovery }
	}, func(w *world) {
		recovery = desired.Recovery{From: time.Now(), Until: time.Now().Add(7 * time.Second)}
		w.put(build.Workload("shop/a", build.IPs("192.0.2.9")))
		w.mustPublish("web IPv4 http:8080 | a 192.0.2.1 not ready")
		w.pass(7 * time.Second)
		w.mustPublish("web IPv4 http:8080 | a 192.0.2.9")

		recovery = desired.Recovery{From: time.Now(), Until: time.Now().Add(7 * time.Second)}
		// An object that is first seen now may be new to consumers, whatever its age.
		w.put(build.Workload("shop/b", build.IPs("192.0.2.2"), build.NotReady()))
		w.put(build.Workload("shop/b", build.IPs("192.0.2.2")))
		w.pass(7*time.Second - 1)
		w.mustPublish("web IPv4 http:8080 | a 192.0.2.9")
		w.pass(1)
		w.mustPublish("web IPv4 http:8080 | a 192.0.2.9 | b 192.0.2.2")
	})
}
