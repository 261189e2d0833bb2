// Package planned is the controller that random histories are played with: packages
// desired and plan, called as the controller calls them.
package planned

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/external-workload/controller/internal/plantest"
	"github.com/external-workload/controller/internal/plantest/sliceapi"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/desired"
	"github.com/external-workload/controller/pkg/plan"
)

// MaxEndpoints is how many endpoints it puts into one slice: few, so that the
// Services of histories have several.
const MaxEndpoints = 3

// controller remembers between two steps only what it keeps of each workload.
type controller struct {
	known   map[string]*desired.Workload
	seen    map[string]*v1beta1.ExternalWorkload
	state   desired.State
	planner plan.Planner
	options desired.Options
}

// New starts a controller that has seen these workloads, and withholds a
// Service's second family or not.
func New(withhold bool, workloads []*v1beta1.ExternalWorkload) plantest.Controller {
	c := &controller{
		known: map[string]*desired.Workload{},
		seen:  map[string]*v1beta1.ExternalWorkload{},
		options: desired.Options{
			ManagedBy:            plantest.ManagedBy,
			WithholdSecondFamily: withhold,
			// Late enough that no endpoint is held: the models have no caches
			// that could lag behind.
			Now: time.Unix(1<<32, 0),
		},
	}
	for _, object := range workloads {
		c.see(object)
	}
	return c.step
}

// see keeps what counts of a workload, as the informer's handler does.
func (c *controller) see(object *v1beta1.ExternalWorkload) *desired.Workload {
	if c.seen[object.Name] != object {
		c.known[object.Name] = desired.NewWorkload(object, c.known[object.Name], desired.Sighting{At: time.Unix(1<<31, 0)})
		c.seen[object.Name] = object
	}
	return c.known[object.Name]
}

func (c *controller) step(service *corev1.Service, workloads []*v1beta1.ExternalWorkload, slices []*discoveryv1.EndpointSlice) ([]plantest.Write, bool) {
	selected := make([]*desired.Workload, 0, len(workloads))
	for _, object := range workloads {
		selected = append(selected, c.see(object))
	}
	c.state.Compute(service, selected, c.options)
	step := c.planner.Compute(&c.state, slices, plan.Options{MaxEndpoints: MaxEndpoints})
	writes := make([]plantest.Write, 0, len(step.Writes))
	for _, write := range step.Writes {
		writes = append(writes, plantest.Write{Verb: sliceapi.Verb(write.Operation), Slice: write.Slice, After: write.After})
	}
	return writes, step.More()
}
