package desired_test

import (
	"fmt"
	"testing"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/desired"
)

// many are workloads with an address each.
func many(count int) []*v1beta1.ExternalWorkload {
	objects := make([]*v1beta1.ExternalWorkload, count)
	for i := range objects {
		objects[i] = build.Workload(fmt.Sprintf("shop/w%05d", i), build.IPs(fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)))
	}
	return objects
}

func BenchmarkCompute(b *testing.B) {
	for _, count := range []int{10, 100, 1000, 10000} {
		b.Run(fmt.Sprintf("endpoints=%d", count), func(b *testing.B) {
			service, workloads := build.Service("shop/web"), known(many(count), longAfter)
			options := desired.Options{ManagedBy: build.ManagedBy, Now: longAfter}
			var state desired.State
			b.ReportAllocs()
			for b.Loop() {
				state.Compute(service, workloads, options)
			}
		})
	}
}

func BenchmarkNewWorkload(b *testing.B) {
	object := many(1)[0]
	known := desired.NewWorkload(object, nil, desired.Sighting{At: longAfter})
	b.ReportAllocs()
	for b.Loop() {
		desired.NewWorkload(object, known, desired.Sighting{At: longAfter})
	}
}
