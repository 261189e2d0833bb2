package endpointslice

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/external-workload/controller/internal/build"
)

func TestServiceThatIsRecreated(t *testing.T) {
	for name, recreate := range map[string]func(*world, func()){
		"while we watch":    func(_ *world, change func()) { change() },
		"while we are down": func(w *world, change func()) { w.restart(change) },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, given(build.Service("shop/web"), build.Workload("shop/a")), func(w *world) {
				recreate(w, func() {
					w.remove("service web")
					w.put(build.Service("shop/web", build.UID("new-uid")))
				})
				w.mustPublish("web IPv4 http:8080 | a 192.0.2.1")
				if owner := metav1.GetControllerOf(w.slice()); owner == nil || owner.UID != "new-uid" {
					t.Errorf("the slice's owner is %v", owner)
				}
			})
		})
	}
}

func TestStart(t *testing.T) {
	for name, test := range map[string]struct {
		meanwhile func(*world)
		writes    []string
		published []string
	}{
		"nothing is written when nothing changed": {
			meanwhile: func(*world) {},
			published: []string{"web IPv4 http:8080 | a 192.0.2.1"},
		},
		"slices whose Service is gone are emptied and deleted": {
			meanwhile: func(w *world) { w.remove("service web") },
			writes:    []string{"update", "delete"},
		},
		"what changed is published": {
			meanwhile: func(w *world) { w.put(build.Workload("shop/b", build.IPs("192.0.2.2"))) },
			writes:    []string{"update"},
			published: []string{"web IPv4 http:8080 | a 192.0.2.1 | b 192.0.2.2"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, given(build.Service("shop/web"), build.Workload("shop/a")), func(w *world) {
				w.writes()
				w.restart(func() { test.meanwhile(w) })
				w.mustWrite(test.writes...)
				w.mustPublish(test.published...)
			})
		})
	}
}
