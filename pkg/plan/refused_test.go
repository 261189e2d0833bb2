package plan_test

import (
	"fmt"
	"testing"

	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/plan"
)

// TestSliceOfMoreEndpointsThanTheAPIServerAccepts: such a slice cannot be updated, not even
// to withdraw one of its endpoints.
func TestSliceOfMoreEndpointsThanTheAPIServerAccepts(t *testing.T) {
	const accepted = 1000
	for sentence, distinct := range map[string]int{
		"copies of one endpoint":              1,
		"as many workloads, one of them gone": accepted + 2,
	} {
		t.Run(sentence, func(t *testing.T) {
			c := newCluster(t, build.Service("shop/web"))
			var options []build.SliceOption
			for i := range accepted + 2 {
				name, address := fmt.Sprintf("w%04d", i%distinct), fmt.Sprintf("10.0.%d.%d", i%distinct/256, i%distinct%256)
				c.put(build.Workload("shop/"+name, build.IPs(address)))
				options = append(options, build.Endpoint(name, address))
			}
			published := distinct
			if distinct > 1 {
				c.remove("w0000")
				published--
			}
			c.settle()
			c.options.MaxEndpoints = accepted
			stored := map[string]*discoveryv1.EndpointSlice{"web-1": build.Slice("shop/web-1", options...)}
			for step := 1; ; step++ {
				var actual []*discoveryv1.EndpointSlice
				got := 0
				for _, s := range stored {
					actual, got = append(actual, s), got+len(s.Endpoints)
				}
				p := plan.Compute(c.state(), actual, c.options)
				if p.Empty() {
					if got != published {
						t.Errorf("%d endpoints are published, want %d", got, published)
					}
					return
				}
				if step > 3 {
					t.Fatalf("not done after 3 steps:\n%.1000s", &p)
				}
				for _, w := range p.Writes {
					if n := len(w.Slice.Endpoints); n > accepted {
						t.Fatalf("step %d writes %d endpoints", step, n)
					}
					stored[w.Slice.Name] = w.Slice
				}
			}
		})
	}
}
