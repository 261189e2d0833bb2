package endpointslice

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"

	"github.com/external-workload/controller/pkg/desired"
	"github.com/external-workload/controller/pkg/events"
	"github.com/external-workload/controller/pkg/failure"
)

// reported is what Events have reported about a Service, so that each Event has
// something new.
type reported struct {
	// skips are the skipped workloads, by name.
	skips map[reportedSkip]string
	// failure is the reason of failed writes, or empty.
	failure string
}

// reportedSkip is the reported skip of a workload.
type reportedSkip struct {
	uid    types.UID
	reason desired.Reason
	family discoveryv1.AddressType
}

// workloadEvent is an Event to record on a workload.
type workloadEvent struct {
	kind events.Kind
	on   *desired.Workload
	note string
}

// skipped returns the Events to record: one for each newly skipped workload, and one
// for each that is published after it had been skipped.
func (r *reported) skipped(wanted *desired.State) []workloadEvent {
	if len(r.skips) == 0 && len(wanted.Skipped) == 0 {
		return nil
	}
	var due []workloadEvent
	before := r.skips
	r.skips = make(map[reportedSkip]string, len(wanted.Skipped))
	for i := range wanted.Skipped {
		skip := &wanted.Skipped[i]
		report := reportedSkip{uid: skip.Workload.UID, reason: skip.Reason, family: skip.Family}
		r.skips[report] = skip.Workload.Name
		if _, known := before[report]; !known {
			due = append(due, workloadEvent{skippedKind(skip.Reason).For(string(skip.Family)), skip.Workload, skip.Message()})
		}
	}
	for _, report := range slices.SortedFunc(maps.Keys(before), compareReports) {
		if _, still := r.skips[report]; still {
			continue
		}
		if w := publishedAs(wanted, report, before[report]); w != nil {
			due = append(due, workloadEvent{eventPublished.For(string(report.family)), w, "published for Service " + wanted.Service.Name})
		}
	}
	return due
}

func compareReports(a, b reportedSkip) int {
	return cmp.Or(cmp.Compare(a.uid, b.uid), cmp.Compare(a.reason, b.reason), cmp.Compare(a.family, b.family))
}

// publishedAs finds a workload among the endpoints of the family in which it was
// skipped before, or of any family.
func publishedAs(wanted *desired.State, report reportedSkip, name string) *desired.Workload {
	for i := range wanted.Families {
		f := &wanted.Families[i]
		if report.family != "" && report.family != f.AddressType {
			continue
		}
		at, found := slices.BinarySearchFunc(f.Endpoints, name, func(e desired.Endpoint, name string) int {
			return strings.Compare(e.Workload.Name, name)
		})
		if found && f.Endpoints[at].Workload.UID == report.uid {
			return f.Endpoints[at].Workload
		}
	}
	return nil
}

// failed records how the writes ended, and reports whether that is new: they fail for
// another reason, or succeed again.
func (r *reported) failed(reason string) (isNew bool) {
	isNew, r.failure = r.failure != reason, reason
	return isNew
}

// reportFailure records an Event on the Service when writes start to fail for a reason,
// and when they succeed again. Conflicts are normal.
func (c *Controller) reportFailure(ctx context.Context, state *serviceState, service *corev1.Service, err error) {
	reason := ""
	if err != nil {
		switch reason = failure.Reason(err); reason {
		case failure.Conflict, failure.Stopped, failure.NamespaceTerminating:
			return
		}
	}
	if !state.reported.failed(reason) {
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
