package endpointslice

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/external-workload/controller/pkg/desired"
	"github.com/external-workload/controller/pkg/metrics"
	"github.com/external-workload/controller/pkg/plan"
)

// observe tells metrics and Events what a sync found and did.
func (c *Controller) observe(ctx context.Context, key cache.ObjectName, in input, state *desired.State, done plan.Plan, err error) {
	name := types.NamespacedName{Namespace: key.Namespace, Name: key.Name}
	if in.gone() {
		c.config.Observer.ServiceForgotten(name)
		return
	}
	c.config.Observer.ServiceObserved(name, observed(in, state, done))
	c.tellSkipped(key, state)
	if state.Service != nil {
		c.tellFailure(ctx, key, state.Service, err)
	}
}

// observed counts what is wanted and what was present.
func observed(in input, state *desired.State, done plan.Plan) metrics.ServiceObserved {
	o := metrics.ServiceObserved{SlicesPresent: len(in.slices), SlicesWanted: len(in.slices)}
	for _, slice := range in.slices {
		o.EndpointsPresent += len(slice.Endpoints)
	}
	for i := range state.Families {
		o.EndpointsWanted += len(state.Families[i].Endpoints)
	}
	for _, phase := range done.Phases {
		for i := range phase {
			switch phase[i].Operation {
			case plan.Create:
				o.SlicesWanted++
			case plan.Delete:
				o.SlicesWanted--
			}
		}
	}
	for i := range state.Skipped {
		if o.Skipped == nil {
			o.Skipped = map[string]int{}
		}
		o.Skipped[string(state.Skipped[i].Reason)]++
	}
	return o
}

// tellSkipped records an Event on each workload that is newly left out, and on
// each that is published after it had been left out.
func (c *Controller) tellSkipped(key cache.ObjectName, state *desired.State) {
	var before, now map[told]string
	c.records.with(key, func(rec *record) {
		before = rec.told
		if len(state.Skipped) > 0 {
			now = make(map[told]string, len(state.Skipped))
		}
		for i := range state.Skipped {
			now[toldOf(&state.Skipped[i])] = state.Skipped[i].Workload.Name
		}
		rec.told = now
	})
	for i := range state.Skipped {
		skip := &state.Skipped[i]
		if _, known := before[toldOf(skip)]; !known {
			c.config.Events.Record(skippedKind(skip.Reason).For(string(skip.Family)), reference(skip.Workload), serviceReference(state.Service), "%s", skip.Message())
		}
	}
	for _, t := range slices.SortedFunc(maps.Keys(before), compareTold) {
		if _, still := now[t]; still {
			continue
		}
		if w := publishedAs(state, t, before[t]); w != nil {
			c.config.Events.Record(eventPublished.For(string(t.family)), reference(w), serviceReference(state.Service), "published for Service %s", key.Name)
		}
	}
}

// publishedAs finds a workload among the endpoints of the family, or of any
// family, in which it was left out before.
func publishedAs(state *desired.State, t told, name string) *desired.Workload {
	for i := range state.Families {
		f := &state.Families[i]
		if t.family != "" && t.family != f.AddressType {
			continue
		}
		at, found := slices.BinarySearchFunc(f.Endpoints, name, func(e desired.Endpoint, name string) int {
			return strings.Compare(e.Workload.Name, name)
		})
		if found && f.Endpoints[at].Workload.UID == t.uid {
			return f.Endpoints[at].Workload
		}
	}
	return nil
}

func compareTold(a, b told) int {
	return cmp.Or(cmp.Compare(a.uid, b.uid), cmp.Compare(a.reason, b.reason), cmp.Compare(a.family, b.family))
}

func toldOf(skip *desired.Skip) told {
	return told{uid: skip.Workload.UID, reason: skip.Reason, family: skip.Family}
}

// tellFailure records an Event on the Service when writing begins to fail for
// a reason, and when it succeeds again. Conflicts are normal life.
func (c *Controller) tellFailure(ctx context.Context, key cache.ObjectName, service *corev1.Service, err error) {
	reason := ""
	if err != nil {
		switch reason = failureReason(err); reason {
		case reasonConflict, reasonStopped, reasonTerminating:
			return
		}
	}
	var before string
	c.records.with(key, func(rec *record) { before, rec.failing = rec.failing, reason })
	if before == reason {
		return
	}
	on := serviceReference(service)
	if reason == "" {
		c.config.Events.Record(eventRecovered, on, nil, "EndpointSlices can be written again")
		return
	}
	klog.FromContext(ctx).Error(err, "EndpointSlices cannot be written"+advice(reason), "reason", reason)
	c.config.Events.Record(eventFailed, on, nil, "EndpointSlices cannot be written: %v%s", err, advice(reason))
}
