package adopt

import (
	"slices"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/external-workload/controller/pkg/desired"
	"github.com/external-workload/controller/pkg/plan"
)

// maxSteps bounds the steps that are shown of one Service. No change takes
// nearly so many: a Service whose ports change takes two for each slice.
const maxSteps = 1000

// Options are the choices of an installation.
type Options struct {
	desired.Options
	// MaxEndpoints is how many endpoints a slice is filled with at most.
	MaxEndpoints int
}

// Preview is what would be written for one Service.
type Preview struct {
	Service types.NamespacedName
	// Steps follow each other as soon as the API server has taken the last.
	Steps []Step
	// Skipped are the workloads that would be left out, and why.
	Skipped []Skipped
	// Slices and Endpoints count what stands.
	Slices, Endpoints int
	// Untouched counts the endpoints that stand and would stay exactly as they are.
	Untouched int
}

// Step is the writes of one sync, in their order.
type Step []Change

// Change is one write. Before is nil for a new slice, and After for one that is
// deleted.
type Change struct {
	Operation     plan.Operation
	Before, After *discoveryv1.EndpointSlice
}

// Skipped is a workload that would be left out.
type Skipped struct{ Workload, Message string }

// Compute works out what would be written for a Service. The subject is not changed.
func Compute(subject *Subject, options Options) Preview {
	var state desired.State
	state.Compute(subject.Service, subject.Workloads, options.Options)
	preview := Preview{Service: subject.Name, Slices: len(subject.Slices)}
	for i := range state.Skipped {
		skip := &state.Skipped[i]
		preview.Skipped = append(preview.Skipped, Skipped{Workload: skip.Workload.Name, Message: skip.Message()})
	}
	standing := slices.Clone(subject.Slices)
	for range maxSteps {
		next := plan.Compute(&state, standing, plan.Options{MaxEndpoints: options.MaxEndpoints})
		if next.Empty() {
			break
		}
		var step Step
		standing, step = play(next, standing)
		preview.Steps = append(preview.Steps, step)
	}
	preview.count(subject.Slices, standing)
	return preview
}

// play carries out a plan on a list of slices.
func play(next plan.Plan, standing []*discoveryv1.EndpointSlice) ([]*discoveryv1.EndpointSlice, Step) {
	var step Step
	for _, write := range slices.Concat(next.Phases...) {
		change := Change{Operation: write.Operation, After: write.Slice}
		at := slices.IndexFunc(standing, func(s *discoveryv1.EndpointSlice) bool { return s.Name == write.Slice.Name })
		if at >= 0 {
			change.Before = standing[at]
		}
		switch write.Operation {
		case plan.Create:
			change.After = write.Slice.DeepCopy()
			change.After.UID = types.UID(change.After.Name)
			standing = append(standing, change.After)
		case plan.Update:
			standing[at] = write.Slice
		case plan.Delete:
			change.After = nil
			standing = slices.Delete(standing, at, at+1)
		}
		step = append(step, change)
	}
	return standing, step
}

// count compares the endpoints that stand with those that will.
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
