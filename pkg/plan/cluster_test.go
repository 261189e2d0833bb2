package plan_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/internal/plantest/sliceapi"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/desired"
	"github.com/external-workload/controller/pkg/plan"
)

// manySteps is more than any change needs.
const manySteps = 40

// longAfter is a time at which all workloads have settled.
var longAfter = build.Epoch.Add(time.Hour)

// cluster is a Service with its workloads and slices.
type cluster struct {
	t         testing.TB
	service   *corev1.Service
	workloads map[string]*desired.Workload
	api       sliceapi.API
	now       time.Time
	desired   desired.Options
	options   plan.Options

	aliases map[string]string
}

// newCluster returns a cluster with a Service, which may be nil, workloads, and no slices.
func newCluster(t testing.TB, service *corev1.Service, workloads ...*v1beta1.ExternalWorkload) *cluster {
	c := &cluster{
		t: t, service: service, now: longAfter,
		workloads: map[string]*desired.Workload{},
		desired:   desired.Options{ManagedBy: build.ManagedBy},
		options:   plan.Options{MaxEndpoints: 100},
		aliases:   map[string]string{},
	}
	c.put(workloads...)
	return c
}

// put creates or replaces workloads.
func (c *cluster) put(objects ...*v1beta1.ExternalWorkload) {
	for _, object := range objects {
		c.workloads[object.Name] = desired.NewWorkload(object, c.workloads[object.Name], desired.Sighting{At: c.now})
	}
}

// settle lets time pass until all workloads have settled.
func (c *cluster) settle() { c.now = c.now.Add(time.Second) }

// remove deletes workloads.
func (c *cluster) remove(names ...string) {
	for _, name := range names {
		delete(c.workloads, name)
	}
}

// createSlices creates slices as another client.
func (c *cluster) createSlices(objects ...*discoveryv1.EndpointSlice) {
	for _, object := range objects {
		if _, err := c.api.Create(object); err != nil {
			c.t.Fatal(err)
		}
	}
}

// edit changes the slice of an alias as another client.
func (c *cluster) edit(alias string, change func(*discoveryv1.EndpointSlice)) {
	for _, object := range c.api.List() {
		if c.alias(object.Name) == alias {
			object = object.DeepCopy()
			change(object)
			if _, err := c.api.Update(object); err != nil {
				c.t.Fatal(err)
			}
			return
		}
	}
	c.t.Fatalf("there is no slice %s", alias)
}

// state returns the desired state.
func (c *cluster) state() *desired.State {
	names := slices.Sorted(maps.Keys(c.workloads))
	workloads := make([]*desired.Workload, 0, len(names))
	for _, name := range names {
		workloads = append(workloads, c.workloads[name])
	}
	options := c.desired
	options.Now = c.now
	var state desired.State
	state.Compute(c.service, workloads, options)
	return &state
}

// next returns the next plan.
func (c *cluster) next() plan.Plan {
	c.options.Recovering = c.desired.Recovery.Ongoing(c.now)
	return plan.Compute(c.state(), c.api.List(), c.options)
}

// apply makes the writes of a plan in order, and describes each write in a line.
func (c *cluster) apply(step int, p plan.Plan) []string {
	var lines []string
	aliases := make([]string, len(p.Writes))
	for i, write := range p.Writes {
		stored, err := write.Slice, error(nil)
		switch write.Operation {
		case plan.Create:
			stored, err = c.api.Create(write.Slice)
		case plan.Update:
			stored, err = c.api.Update(write.Slice)
		case plan.Delete:
			err = c.api.Delete(write.Slice.Name, metav1.Preconditions{UID: &write.Slice.UID, ResourceVersion: &write.Slice.ResourceVersion})
		}
		if err != nil {
			c.t.Fatalf("%s %s: %v", write.Operation, write.Slice.Name, err)
		}
		line := fmt.Sprintf("%d %s %s", step, write.Operation, c.line(stored))
		aliases[i] = c.alias(stored.Name)
		for _, after := range write.After {
			line += " after " + aliases[after]
		}
		lines = append(lines, line)
	}
	return lines
}

// converge runs once all workloads have settled.
func (c *cluster) converge() []string {
	c.settle()
	return c.run()
}

// run applies plans until there is nothing to do at this moment, and describes every
// write. It fails if a plan's number of further steps is wrong.
func (c *cluster) run() []string {
	var lines []string
	for step := 1; step <= manySteps; step++ {
		p := c.next()
		if p.Empty() {
			return lines
		}
		lines = append(lines, c.apply(step, p)...)
		if following := c.next(); following.Empty() && (following.Recovering || len(following.Waiting) > 0) {
			continue // the steps that follow come later
		} else if p.StepsLeft == 0 != following.Empty() || p.StepsLeft > following.StepsLeft+1 {
			c.t.Errorf("step %d says that %d follow, and the next one that %d do:\n%s\n%s", step, p.StepsLeft, following.StepsLeft, &p, &following)
		}
	}
	c.t.Fatalf("not done after %d steps:\n%s", manySteps, strings.Join(lines[len(lines)-4:], "\n"))
	return nil
}

// alias returns a slice's name, or s1, s2 and so on for generated names.
func (c *cluster) alias(name string) string {
	if !strings.HasPrefix(name, "linkerd-external-") {
		return name
	}
	if c.aliases[name] == "" {
		c.aliases[name] = fmt.Sprintf("s%d", len(c.aliases)+1)
	}
	return c.aliases[name]
}

// line returns a slice in its text form, under its alias.
func (c *cluster) line(s *discoveryv1.EndpointSlice) string {
	aliased := *s
	aliased.Name = c.alias(s.Name)
	return strings.TrimSpace(plan.Dump(&aliased))
}

// numbered returns the workloads w01 and so on, at 192.0.2.1 and so on.
func numbered(from, to int, options ...build.WorkloadOption) []*v1beta1.ExternalWorkload {
	var objects []*v1beta1.ExternalWorkload
	for i := from; i <= to; i++ {
		objects = append(objects, build.Workload(fmt.Sprintf("shop/w%02d", i),
			append([]build.WorkloadOption{build.IPs(fmt.Sprintf("192.0.2.%d", i))}, options...)...))
	}
	return objects
}

// change is a test case: a cluster at rest, a change, and the writes that follow.
type change struct {
	service   *corev1.Service
	workloads []*v1beta1.ExternalWorkload
	max       int
	happens   func(*cluster)
	want      []string
}

// check runs the cases of a table, each with a sentence as its key.
func check(t *testing.T, table map[string]change) {
	t.Helper()
	for sentence, row := range table {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if row.service == nil {
				row.service = build.Service("shop/web")
			}
			c := newCluster(t, row.service, row.workloads...)
			if row.max != 0 {
				c.options.MaxEndpoints = row.max
			}
			c.converge()
			row.happens(c)
			if diff := cmp.Diff(row.want, c.converge()); diff != "" {
				t.Errorf("writes differ (-want +got):\n%s", diff)
			}
		})
	}
}
