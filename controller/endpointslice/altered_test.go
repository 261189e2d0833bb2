package endpointslice

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"

	"github.com/external-workload/controller/internal/build"
)

// onSlices returns an admission plugin that changes EndpointSlices only.
func onSlices(change func(*discoveryv1.EndpointSlice)) func(runtime.Object) {
	return func(object runtime.Object) {
		if slice, ok := object.(*discoveryv1.EndpointSlice); ok {
			change(slice)
		}
	}
}

// dropNodeHints behaves like Kubernetes up to 1.33, which has no hints.forNodes.
func dropNodeHints(slice *discoveryv1.EndpointSlice) {
	for i := range slice.Endpoints {
		if hints := slice.Endpoints[i].Hints; hints != nil {
			hints.ForNodes = nil
		}
	}
}

func addLabel(slice *discoveryv1.EndpointSlice) {
	slice.Labels["team"] = "a"
}

func dropEndpoints(slice *discoveryv1.EndpointSlice) { slice.Endpoints = nil }

// A field that the server drops or an admission plugin changes must not cause endless
// writes. The same content is sent at most once more, because the write of a change also
// sets the trigger time.
func TestWriteThatTheServerAltersIsNotRepeated(t *testing.T) {
	for sentence, alter := range map[string]func(*discoveryv1.EndpointSlice){
		"the server does not know hints.forNodes":   dropNodeHints,
		"an admission plugin adds a label":          addLabel,
		"an admission plugin removes all endpoints": dropEndpoints,
	} {
		t.Run(sentence, func(t *testing.T) {
			preferNode := build.Traffic(corev1.ServiceTrafficDistributionPreferSameNode)
			inWorld(t, given(build.Workload("shop/a"), build.Workload("other/a")), func(w *world) {
				w.api.Admit(onSlices(alter))
				w.put(build.Service("shop/web", preferNode))
				w.pass(time.Second)
				if n := len(w.writes()); n == 0 || n > 2 {
					t.Errorf("%d writes of the new slice, want one or two", n)
				}
				for range 10 {
					w.controller.changed(cache.ObjectName{Namespace: "shop", Name: "web"})
					w.pass(time.Second)
				}
				if got := w.writes(); len(got) > 0 {
					t.Errorf("the same was sent again: %q", got)
				}
				w.mustCountForeign(0)

				w.put(build.Workload("shop/b", build.IPs("192.0.2.2")))
				w.pass(time.Second)
				if n := len(w.writes()); n == 0 || n > 2 {
					t.Errorf("%d writes for a new workload, want one or two", n)
				}
				w.restart(func() {})
				w.writes()
				w.pass(time.Minute)
				if got := w.writes(); len(got) > 0 {
					t.Errorf("the same was sent again after a restart: %q", got)
				}
			})
		})
	}
}

// The controller retries: a server that has been upgraded stores all fields.
func TestDroppedFieldsArePublishedAfterTheServersUpgrade(t *testing.T) {
	inWorld(t, given(build.Workload("shop/a")), func(w *world) {
		w.api.Admit(onSlices(dropNodeHints))
		w.put(build.Service("shop/web", build.Traffic(corev1.ServiceTrafficDistributionPreferSameNode)))
		w.pass(time.Second)
		w.api.Admit(nil)
		w.pass(alteredRetry + time.Minute)
		if hints := w.slice().Endpoints[0].Hints; hints == nil || len(hints.ForNodes) != 1 {
			t.Errorf("the hints are %v, want one for a node", hints)
		}
		w.writes()
		w.pass(3 * alteredRetry)
		if got := w.writes(); len(got) > 0 {
			t.Errorf("written again: %q", got)
		}
	})
}

// A foreign write on such a server is repaired as on any other.
func TestForeignWritesAreRepairedWhereTheServerDropsFields(t *testing.T) {
	inWorld(t, given(build.Workload("shop/a")), func(w *world) {
		w.api.Admit(onSlices(dropNodeHints))
		w.put(build.Service("shop/web", build.Traffic(corev1.ServiceTrafficDistributionPreferSameNode)))
		w.pass(time.Second)
		w.spoil()
		w.pass(time.Second)
		w.mustPublish("web IPv4 http:8080 | a 192.0.2.1")
		w.mustCountForeign(1)
	})
}

// The fault: a webhook stored a machine as ready although it was sent as not ready, and
// the machine stayed ready for an hour.
func TestAlteredWithdrawalIsSentAgainSoon(t *testing.T) {
	inWorld(t, given(build.Service("shop/web"), build.Workload("shop/a")), func(w *world) {
		w.api.Admit(onSlices(func(slice *discoveryv1.EndpointSlice) {
			for i := range slice.Endpoints {
				slice.Endpoints[i].Conditions.Ready = new(true)
			}
		}))
		w.put(build.Workload("shop/a", build.NotReady()))
		w.pass(time.Second)
		w.api.Admit(nil)
		w.pass(2 * withdrawalRetry)
		if ready := w.slice().Endpoints[0].Conditions.Ready; *ready {
			t.Error("the machine that is not ready is ready in the slice")
		}
	})
}
