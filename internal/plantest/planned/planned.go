// Package planned calls packages desired and plan as the controller does, for random
// histories.
package planned

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/external-workload/controller/internal/plantest"
	"github.com/external-workload/controller/internal/plantest/sliceapi"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/desired"
	"github.com/external-workload/controller/pkg/plan"
)

// MaxEndpoints is the maximum number of endpoints in one slice. It is small, so that the
// Services of histories have several slices.
const MaxEndpoints = 3

// controller keeps only the relevant part of each object between two steps.
type controller struct {
	known     map[string]*desired.Workload
	seen      map[string]*v1beta1.ExternalWorkload
	service   *corev1.Service
	settledAt time.Time
	state     desired.State
	planner   plan.Planner
	withhold  bool
}

// New starts a controller that has seen no objects. withhold says whether it withholds a
// Service's second family.
func New(withhold bool) plantest.Controller {
	return &controller{known: map[string]*desired.Workload{}, seen: map[string]*v1beta1.ExternalWorkload{}, withhold: withhold}
}

// See keeps the relevant part of the objects, like the informers' handlers.
func (c *controller) See(view plantest.View) {
	service, seen := view.Service, desired.Sighting{At: view.Now, Recovery: recoveryOf(view)}
	switch {
	case service == nil:
		c.settledAt = time.Time{}
	case c.service == nil || c.service.UID != service.UID:
		c.settledAt = desired.ServiceSettledAt(service, seen)
	}
	c.service = service
	for _, object := range view.Workloads {
		if c.seen[object.Name] != object {
			c.known[object.Name] = desired.NewWorkload(object, c.known[object.Name], seen)
			c.seen[object.Name] = object
		}
	}
}

func recoveryOf(view plantest.View) desired.Recovery {
	return desired.Recovery{From: view.InterruptedAt, Until: view.RecoveredAt}
}

// Step implements plantest.Controller.
func (c *controller) Step(view plantest.View) plantest.Step {
	recovery := recoveryOf(view)
	selected := make([]*desired.Workload, 0, len(view.Workloads))
	for _, object := range view.Workloads {
		selected = append(selected, c.known[object.Name])
	}
	c.state.Compute(view.Service, selected, desired.Options{
		ManagedBy: plantest.ManagedBy, WithholdSecondFamily: c.withhold,
		Now: view.Now, ServiceSettledAt: c.settledAt, Recovery: recovery,
	})
	next := c.planner.Compute(&c.state, view.Slices, plan.Options{MaxEndpoints: MaxEndpoints, Recovering: recovery.Ongoing(view.Now)})
	step := plantest.Step{Writes: make([]plantest.Write, 0, len(next.Writes)), More: next.More(), RetryAt: c.state.RetryAt}
	if next.Recovering {
		step.RetryAt = desired.Earlier(step.RetryAt, recovery.Until)
	}
	for _, write := range next.Writes {
		step.Writes = append(step.Writes, plantest.Write{Verb: sliceapi.Verb(write.Operation), Slice: write.Slice, After: write.After})
	}
	return step
}
