package endpointslice

import (
	"fmt"
	"testing"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/external-workload/controller/internal/build"
)

// TestIndependentEventsInAnyOrder delivers independent events in every order. The final
// state must always be the same.
func TestIndependentEventsInAnyOrder(t *testing.T) {
	events := []func(*world){
		func(w *world) {
			w.put(build.Service("shop/web", build.Ports(build.Port("http", 80, build.ToName("http")))))
		},
		func(w *world) { w.put(build.Workload("shop/new", build.IPs("192.0.2.9"))) },
		func(w *world) { w.remove("workload gone") },
		func(w *world) { w.put(build.Workload("shop/moves", build.IPs("192.0.2.4"))) },
		func(w *world) { w.put(build.Workload("shop/leaves", build.NoLabels(), build.IPs("192.0.2.5"))) },
	}
	want := "api IPv4 http:8080 | moves 192.0.2.4 | new 192.0.2.9 | stays 192.0.2.1"
	start := []runtime.Object{
		build.Service("shop/api"),
		build.Workload("shop/stays"),
		build.Workload("shop/gone", build.IPs("192.0.2.2")),
		build.Workload("shop/moves", build.IPs("192.0.2.3")),
		build.Workload("shop/leaves", build.IPs("192.0.2.5")),
	}
	for _, order := range permutations(len(events)) {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			inWorld(t, start, func(w *world) {
				for _, i := range order {
					events[i](w)
				}
				w.mustPublish(want, "web"+want[len("api"):])
				w.do(func() {
					if w.foreign > 0 {
						t.Errorf("%d of our own writes count as foreign", w.foreign)
					}
				})
				for _, slice := range w.slices() {
					if slice.Labels[discoveryv1.LabelManagedBy] != build.ManagedBy {
						t.Errorf("labels are %v", slice.Labels)
					}
				}
			})
		})
	}
}

// permutations returns all orders of the numbers below n.
func permutations(n int) [][]int {
	if n == 0 {
		return [][]int{nil}
	}
	var all [][]int
	for _, shorter := range permutations(n - 1) {
		for at := range n {
			order := append(append(append([]int{}, shorter[:at]...), n-1), shorter[at:]...)
			all = append(all, order)
		}
	}
	return all
}
