package adopt

import (
	"slices"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/external-workload/controller/pkg/desired"
	"github.com/external-workload/controller/pkg/plan"
)

// maxSteps limits the steps that are shown for one Service. No change takes nearly as
// many: a change of a Service's ports takes two for each slice.
const maxSteps = 1000

// Options are the settings of an installation.
type Options struct {
	desired.Options
	// MaxEndpoints is the maximum number of endpoints that a slice is filled with.
	MaxEndpoints int
}

// Preview is what would be written for one Service.
type Preview struct {
	Service types.NamespacedName
	// Steps are made one after the other, each once the API server has accepted the one
	// before.
	Steps []Step
	// Skipped are the workloads that would be left out, and why.
	Skipped []Skipped
	// Slices and Endpoints count the actual ones.
	Slices, Endpoints int
	// Untouched counts the actual endpoints that would stay exactly as they are.
	Untouched int
}

// Step is the writes of one sync, in their order.
type Step []Change

// Change is one write. Before is nil for a new slice, and After for one that is
// deleted.
type Change struct {
	Operation     plan.Operation
	Before, After *discoveryv1.EndpointSlice

	// reasons say why each endpoint changes, by workload.
	reasons map[string]plan.Reason
}

// Skipped is a workload that would be left out.
type Skipped struct{ Workload, Message string }

// Compute returns what would be written for a Service. The subject is not changed.
func Compute(subject *Subject, options Options) Preview {
	var state desired.State
	state.Compute(subject.Service, subject.Workloads, options.Options)
	preview := Preview{Service: subject.Name, Slices: len(subject.Slices)}
	for i := range state.Skipped {
		skip := &state.Skipped[i]
		preview.Skipped = append(preview.Skipped, Skipped{Workload: skip.Workload.Name, Message: skip.Message()})
	}
	actual := slices.Clone(subject.Slices)
	for range maxSteps {
		next := plan.Compute(&state, actual, plan.Options{MaxEndpoints: options.MaxEndpoints})
		if next.Empty() {
			break
		}
		var step Step
		actual, step = apply(next, actual)
		preview.Steps = append(preview.Steps, step)
	}
	preview.count(subject.Slices, actual)
	return preview
}

// apply applies a plan to a list of slices in memory, and returns the new list.
func apply(next plan.Plan, actual []*discoveryv1.EndpointSlice) ([]*discoveryv1.EndpointSlice, Step) {
	var step Step
	for _, write := range next.Writes {
		change := Change{Operation: write.Operation, After: write.Slice, reasons: reasonsOf(&write)}
		at := slices.IndexFunc(actual, func(s *discoveryv1.EndpointSlice) bool { return s.Name == write.Slice.Name })
		if at >= 0 {
			change.Before = actual[at]
		}
		switch write.Operation {
		case plan.Create:
			change.After = write.Slice.DeepCopy()
			change.After.UID = types.UID(change.After.Name)
			actual = append(actual, change.After)
		case plan.Update:
			actual[at] = write.Slice
		case plan.Delete:
			change.After = nil
			actual = slices.Delete(actual, at, at+1)
		}
		step = append(step, change)
	}
	return actual, step
}

// reasonsOf returns the reasons of a write's changes by workload.
func reasonsOf(write *plan.Write) map[string]plan.Reason {
	reasons := make(map[string]plan.Reason, len(write.Changes))
	for _, change := range write.Changes {
		reasons[change.Workload] = change.Reason
	}
	return reasons
}

// count compares the actual endpoints with those that would follow.
func (p *Preview) count(before, after []*discoveryv1.EndpointSlice) {
	will := map[string]*discoveryv1.EndpointSlice{}
	for _, slice := range after {
		will[slice.Name] = slice
	}
	for _, slice := range before {
		p.Endpoints += len(slice.Endpoints)
		if slice == will[slice.Name] {
			p.Untouched += len(slice.Endpoints)
			continue
		}
		if now := will[slice.Name]; now != nil && samePorts(slice, now) {
			p.Untouched += unchanged(slice, now)
		}
	}
}
