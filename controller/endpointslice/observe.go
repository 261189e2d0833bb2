package endpointslice

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"github.com/external-workload/controller/pkg/desired"
	"github.com/external-workload/controller/pkg/metrics"
	"github.com/external-workload/controller/pkg/plan"
)

// observe records metrics and Events of a sync.
func (c *Controller) observe(ctx context.Context, key cache.ObjectName, state *serviceState, in input, wanted *desired.State, done plan.Plan, err error) {
	name := types.NamespacedName{Namespace: key.Namespace, Name: key.Name}
	if in.gone() {
		c.config.Observer.ServiceForgotten(name)
		return
	}
	c.config.Observer.ServiceObserved(name, observed(in, wanted, done))
	for _, event := range state.reported.skipped(wanted) {
		c.config.Events.Record(event.kind, reference(event.on), serviceReference(in.service), "%s", event.note)
	}
	if wanted.Service != nil {
		c.reportFailure(ctx, state, wanted.Service, err)
	}
}

// observed counts the desired and the actual endpoints and slices.
func observed(in input, wanted *desired.State, done plan.Plan) metrics.ServiceObserved {
	o := metrics.ServiceObserved{SlicesActual: len(in.slices), SlicesDesired: len(in.slices)}
	for _, slice := range in.slices {
		o.EndpointsActual += len(slice.Endpoints)
	}
	for i := range wanted.Families {
		o.EndpointsDesired += len(wanted.Families[i].Endpoints)
	}
	for i := range done.Writes {
		switch done.Writes[i].Operation {
		case plan.Create:
			o.SlicesDesired++
		case plan.Delete:
			o.SlicesDesired--
		}
	}
	for i := range wanted.Skipped {
		if o.Skipped == nil {
			o.Skipped = map[string]int{}
		}
		o.Skipped[string(wanted.Skipped[i].Reason)]++
	}
	return o
}
