package desired_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/desired"
)

// longAfter is a time at which all workloads have settled.
var longAfter = build.Epoch.Add(time.Hour)

// with lists workloads.
func with(objects ...*v1beta1.ExternalWorkload) []*v1beta1.ExternalWorkload { return objects }

// known returns the workloads as first seen at a time, sorted by name.
func known(objects []*v1beta1.ExternalWorkload, at time.Time) []*desired.Workload {
	workloads := make([]*desired.Workload, 0, len(objects))
	for _, object := range objects {
		workloads = append(workloads, desired.NewWorkload(object, nil, desired.Sighting{At: at}))
	}
	slices.SortFunc(workloads, func(a, b *desired.Workload) int { return strings.Compare(a.Name, b.Name) })
	return workloads
}

// compute returns the desired state of a Service and workloads.
func compute(service *corev1.Service, objects []*v1beta1.ExternalWorkload) *desired.State {
	var state desired.State
	state.Compute(service, known(objects, longAfter), desired.Options{ManagedBy: build.ManagedBy, Now: longAfter})
	return &state
}

// lines returns one line for each endpoint, and then for each skipped workload.
func lines(s *desired.State) []string {
	var all []string
	for _, f := range s.Families {
		for _, e := range f.Endpoints {
			line := fmt.Sprintf("%s %s %s %s", f.AddressType, e.Workload.Name, e.Address, f.Groups[e.Group])
			for _, flag := range []struct {
				set  bool
				name string
			}{{e.Ready, "ready"}, {e.Held, "held"}, {e.Serving, "serving"}, {e.Terminating, "terminating"}} {
				if flag.set {
					line += " " + flag.name
				}
			}
			for _, text := range []struct{ name, value string }{{"zone", e.Workload.Zone}, {"hint", e.ZoneHint}, {"node", e.NodeHint}, {"hostname", e.Hostname}} {
				if text.value != "" {
					line += " " + text.name + "=" + text.value
				}
			}
			all = append(all, line)
		}
	}
	for _, skip := range s.Skipped {
		line := fmt.Sprintf("skip %s %s", skip.Workload.Name, skip.Reason)
		if skip.Family != "" {
			line += " " + string(skip.Family)
		}
		if skip.Other != nil {
			line += " for " + skip.Other.Name
		}
		all = append(all, line)
	}
	return all
}

// row is one rule: a Service, workloads, and what is published.
type row struct {
	service   *corev1.Service
	workloads []*v1beta1.ExternalWorkload
	want      []string
}

// check runs a table that is keyed by the rule that each row shows.
func check(t *testing.T, table map[string]row) {
	t.Helper()
	for rule, r := range table {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(r.want, lines(compute(r.service, r.workloads))); diff != "" {
				t.Errorf("published differs (-want +got):\n%s", diff)
			}
		})
	}
}
