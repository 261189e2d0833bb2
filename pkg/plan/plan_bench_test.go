package plan_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/desired"
	"github.com/external-workload/controller/pkg/plan"
)

// core runs packages desired and plan like the controller, with reused memory.
type core struct {
	service   *corev1.Service
	workloads []*desired.Workload
	have      []*discoveryv1.EndpointSlice
	options   desired.Options
	state     desired.State
	planner   plan.Planner
}

// newCore returns a core at rest with that many endpoints in slices of 100.
func newCore(t testing.TB, count int) *core {
	c := newCluster(t, build.Service("shop/web"))
	for i := range count {
		c.put(addressed(i, 10))
	}
	c.converge()
	names := slices.Sorted(maps.Keys(c.workloads))
	k := &core{service: c.service, have: c.api.List(), options: c.desired}
	k.options.Now = c.now
	for _, name := range names {
		k.workloads = append(k.workloads, c.workloads[name])
	}
	return k
}

// addressed returns a workload with its own address in a network.
func addressed(i, network int, options ...build.WorkloadOption) *v1beta1.ExternalWorkload {
	return build.Workload(fmt.Sprintf("shop/w%05d", i),
		append([]build.WorkloadOption{build.IPs(fmt.Sprintf("%d.%d.%d.%d", network, i>>16, i>>8&255, i&255))}, options...)...)
}

// flip makes one workload in the middle not ready.
func (c *core) flip() {
	i := len(c.workloads) / 2
	c.workloads[i] = desired.NewWorkload(addressed(i, 10, build.NotReady()), c.workloads[i], desired.Sighting{At: longAfter})
}

// move gives every workload another address.
func (c *core) move() {
	for i := range c.workloads {
		c.workloads[i] = desired.NewWorkload(addressed(i, 11), c.workloads[i], desired.Sighting{At: longAfter})
	}
}

func (c *core) compute() plan.Plan {
	c.state.Compute(c.service, c.workloads, c.options)
	return c.planner.Compute(&c.state, c.have, plan.Options{MaxEndpoints: 100})
}

func BenchmarkCore(b *testing.B) {
	for _, situation := range []struct {
		name    string
		happens func(*core)
	}{
		{"nothing", func(*core) {}},
		{"flip", (*core).flip},
		{"new", func(c *core) { c.have = nil }},
		{"moved", (*core).move},
	} {
		for _, count := range []int{10, 100, 1000, 10000} {
			b.Run(fmt.Sprintf("%s/endpoints=%d", situation.name, count), func(b *testing.B) {
				c := newCore(b, count)
				situation.happens(c)
				c.compute() // the reused memory gets its final size
				b.ReportAllocs()
				for b.Loop() {
					c.compute()
				}
			})
		}
	}
}

// Without changes, no memory is allocated for endpoints. A changed endpoint needs only the
// memory of its slice, whatever the size of the Service.
func TestAllocationsDoNotGrow(t *testing.T) {
	for name, row := range map[string]struct {
		happens     func(*core)
		small, most int
	}{
		"nothing to do":          {func(*core) {}, 10, 10000},
		"one flip, a full slice": {(*core).flip, 100, 10000},
	} {
		t.Run(name, func(t *testing.T) {
			allocations := func(count int) float64 {
				c := newCore(t, count)
				row.happens(c)
				c.compute()
				return testing.AllocsPerRun(20, func() { c.compute() })
			}
			small, large := allocations(row.small), allocations(row.most)
			if large > small {
				t.Errorf("%v allocations with %d endpoints, %v with %d", small, row.small, large, row.most)
			}
			t.Logf("%v allocations", small)
		})
	}
}
