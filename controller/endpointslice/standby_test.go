package endpointslice

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/external-workload/controller/internal/build"
)

// The fault: after 72 hours of standby the first change reported a latency of 72 hours
// and a trigger time three days old, and deleted objects were still queued and kept.
func TestStandbyKeepsNothingButItsCaches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.put(build.Service("shop/web"), build.Workload("shop/a"))
		w.put(build.Slice("shop/linkerd-external-gone-1", build.Label("kubernetes.io/service-name", "gone")))
		informers, err := NewInformers(w.core, w.workloads, "", build.ManagedBy)
		if err != nil {
			t.Fatal(err)
		}
		c, err := New(Config{
			Client: w.core.DiscoveryV1(), Informers: []*Informers{informers}, Events: w.notes, Observer: w.notes,
			ManagedBy: build.ManagedBy, FieldManager: "test", MaxEndpoints: 100,
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		informers.Start(ctx)
		for hour := range 72 {
			name := fmt.Sprint("transient-", hour)
			w.put(build.Service("shop/"+name), build.Workload("shop/b", build.IPs(fmt.Sprint("192.0.2.", 100+hour))))
			w.remove("service " + name)
			w.pass(time.Hour)
		}
		if waiting, remembered := c.loop.Len(), len(c.changes.first); waiting > 0 || remembered > 0 {
			t.Errorf("a standby has %d keys in its queue and keeps %d changes", waiting, remembered)
		}
		c.states.byKey.Range(func(key, _ any) bool { t.Errorf("a standby keeps the state of %v", key); return false })

		led := time.Now()
		var running sync.WaitGroup
		running.Go(func() {
			if err := c.Run(ctx, 4); err != nil {
				t.Error(err)
			}
		})
		w.pass(time.Second)
		w.mustPublish("web IPv4 http:8080 | a 192.0.2.1 | b 192.0.2.171")
		if got, want := w.slice().Annotations[corev1.EndpointsLastChangeTriggerTime], led.UTC().Format(time.RFC3339Nano); got != want {
			t.Errorf("the trigger time is %s, want the start of leading, %s", got, want)
		}
		w.do(func() {
			for _, latency := range w.latency {
				if latency > time.Second {
					t.Errorf("a latency of %s was reported", latency)
				}
			}
		})
		cancel()
		running.Wait()
		informers.Wait()
	})
}
