package plan_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/desired"
	"github.com/external-workload/controller/pkg/plan"
)

// fewSteps is a handful for each slice whose ports may change.
const fewSteps = 30

func TestProperties(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("first seed %d", seed)
	for i := range uint64(300) {
		checkProperties(t, fmt.Sprintf("seed %d", seed+i), build.RandomChoices(seed+i, 600))
		if t.Failed() {
			return
		}
	}
}

func FuzzPlan(f *testing.F) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 0))
		data := make([]byte, 30*seed)
		for i := range data {
			data[i] = byte(random.UintN(256))
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) { checkProperties(t, "this input", build.NewChoices(data)) })
}

// checkProperties changes a cluster at random, plans in between, and then checks that it
// reaches the desired state.
func checkProperties(t *testing.T, which string, c *build.Choices) {
	t.Helper()
	cluster := newCluster(t, build.AnyService(c))
	cluster.options.MaxEndpoints = 1 + c.Below(4)
	var reused plan.Planner
	for !c.Done() {
		switch c.Below(8) {
		case 0:
			cluster.service = build.AnyService(c)
		case 1:
			cluster.service = build.Service("shop/web", build.UID("second"))
		case 2:
			cluster.remove(anyName(c))
		case 3:
			tamper(cluster, c)
		default:
			cluster.put(build.AnyWorkload(c, "shop/"+anyName(c)))
		}
		if c.Rarely(3) {
			p := checkStep(t, which, cluster, &reused)
			cutShort(&p, c)
			cluster.apply(0, p)
		}
	}
	cluster.settle()
	for step := 0; ; step++ {
		p := checkStep(t, which, cluster, &reused)
		if p.Empty() {
			if p.More() {
				t.Errorf("%s: an empty plan says that another follows", which)
			}
			break
		}
		if step == fewSteps {
			t.Fatalf("%s: not done after %d steps", which, step)
		}
		cluster.apply(step, p)
		if following := cluster.next(); !p.More() && !following.Empty() {
			t.Errorf("%s: step %d does not announce the next step", which, step)
		}
	}
	if diff := cmp.Diff(desiredLines(cluster.state()), actualLines(cluster)); diff != "" {
		t.Errorf("%s: the slices are not as desired (-desired +actual):\n%s", which, diff)
	}
}

func anyName(c *build.Choices) string { return fmt.Sprintf("w%02d", c.Below(12)) }

// tamper makes a foreign write to a slice. A write that the API refuses has no effect.
func tamper(cluster *cluster, c *build.Choices) {
	all := cluster.api.List()
	if len(all) == 0 {
		return
	}
	s := all[c.Below(len(all))].DeepCopy()
	at := c.Below(8)
	switch change := c.Below(8); {
	case change == 0:
		s.Labels["stranger"] = "here"
	case change == 1:
		s.OwnerReferences = nil
	case change == 2:
		s.Ports = nil
	case change == 3:
		s.Annotations = nil
	case change == 4:
		s.Name, s.UID, s.ResourceVersion = fmt.Sprintf("copy-%d", at), "", ""
		_, _ = cluster.api.Create(s)
		return
	case len(s.Endpoints) == 0:
	case change == 5:
		s.Endpoints[at%len(s.Endpoints)].Conditions.Ready = nil
	case change == 6:
		s.Endpoints[at%len(s.Endpoints)].TargetRef = nil
	default:
		s.Endpoints = append(s.Endpoints, s.Endpoints[at%len(s.Endpoints)])
	}
	_, _ = cluster.api.Update(s)
}

// cutShort removes some writes of a plan and those that depend on them, as if they were
// refused.
func cutShort(p *plan.Plan, c *build.Choices) {
	refused := map[int]bool{}
	var kept []plan.Write
	for i, write := range p.Writes {
		refused[i] = c.Rarely(6) || slices.ContainsFunc(write.After, func(after int) bool { return refused[after] })
		if !refused[i] {
			write.After = nil
			kept = append(kept, write)
		}
	}
	p.Writes = kept
}

// checkStep checks the rules for every plan and returns the next plan.
func checkStep(t *testing.T, which string, cluster *cluster, reused *plan.Planner) plan.Plan {
	t.Helper()
	state, have := cluster.state(), cluster.api.List()
	stateBefore, haveBefore := snapshot(state), deepCopies(have)
	p := plan.Compute(state, have, cluster.options)
	if diff := cmp.Diff(haveBefore, have); diff != "" {
		t.Errorf("%s: planning changes the slices (-before +after):\n%s", which, diff)
	}
	if diff := cmp.Diff(stateBefore, snapshot(state)); diff != "" {
		t.Errorf("%s: planning changes what is desired (-before +after):\n%s", which, diff)
	}
	slices.Reverse(have)
	if again := reused.Compute(state, have, cluster.options); !reflect.DeepEqual(p, again) {
		t.Errorf("%s: another order with reused memory gives another plan:\n%s", which, cmp.Diff(p, again))
	}
	before := map[string]int{}
	for _, s := range haveBefore {
		before[s.Name] = len(s.Endpoints)
	}
	written := map[string]bool{}
	for i, write := range p.Writes {
		if written[write.Slice.Name] {
			t.Errorf("%s: %s is written twice in one plan", which, write.Slice.Name)
		}
		written[write.Slice.Name] = true
		if size := len(write.Slice.Endpoints); size > max(cluster.options.MaxEndpoints, before[write.Slice.Name]) {
			t.Errorf("%s: %s is filled with %d endpoints", which, write.Slice.Name, size)
		}
		if write.Operation == plan.Delete && len(write.Slice.Endpoints) > 0 {
			t.Errorf("%s: %s is deleted while it has endpoints", which, write.Slice.Name)
		}
		checkDependencies(t, which, &p, i)
	}
	return p
}

// checkDependencies checks that a write depends only on earlier writes without
// dependencies, and that a write with dependencies withdraws no endpoint.
func checkDependencies(t *testing.T, which string, p *plan.Plan, i int) {
	t.Helper()
	write := &p.Writes[i]
	for _, after := range write.After {
		if after >= i || len(p.Writes[after].After) > 0 {
			t.Errorf("%s: write %d waits for write %d:\n%s", which, i+1, after+1, p)
		}
	}
	for _, change := range write.Changes {
		if len(write.After) > 0 && (change.Action == plan.Withdraw || change.Action == plan.Announce) {
			t.Errorf("%s: write %d waits although it must %s:\n%s", which, i+1, change, p)
		}
		if change.Reason == plan.AsDesired {
			t.Errorf("%s: a change without reason: %s", which, change)
		}
	}
}

func deepCopies(objects []*discoveryv1.EndpointSlice) []*discoveryv1.EndpointSlice {
	copies := slices.Clone(objects)
	for i, object := range objects {
		copies[i] = object.DeepCopy()
	}
	return copies
}

// snapshot returns a deep copy of a State.
func snapshot(s *desired.State) any {
	type family struct {
		Lines  []string
		Groups []desired.Ports
	}
	copied := struct {
		Service  any
		Labels   map[string]string
		Families []family
	}{Labels: maps.Clone(s.Labels)}
	if s.Service != nil {
		copied.Service = s.Service.DeepCopy()
	}
	for i := range s.Families {
		f := family{}
		for j := range s.Families[i].Endpoints {
			e := &s.Families[i].Endpoints[j]
			f.Lines = append(f.Lines, fmt.Sprintf("%+v of %+v", *e, *e.Workload))
		}
		for _, ports := range s.Families[i].Groups {
			f.Groups = append(f.Groups, (&discoveryv1.EndpointSlice{Ports: ports}).DeepCopy().Ports)
		}
		copied.Families = append(copied.Families, f)
	}
	return copied
}

// desiredLines describes the result of the simplest planner: every endpoint once, in any
// slice.
func desiredLines(s *desired.State) []string {
	var all []string
	for _, f := range s.Families {
		for _, e := range f.Endpoints {
			all = append(all, fmt.Sprintf("%s %v %s %s %v %v %v %q %q %q of %s with %v", f.AddressType, f.Groups[e.Group], e.Workload.UID,
				e.Workload.Name, e.Ready, e.Serving, e.Terminating, e.Workload.Zone, e.ZoneHint+e.NodeHint, e.Hostname, s.Service.UID, s.Labels))
		}
	}
	slices.Sort(all)
	return all
}

// actualLines describes the actual slices in the same way.
func actualLines(c *cluster) []string {
	var all []string
	for _, s := range c.api.List() {
		for i := range s.Endpoints {
			e := &s.Endpoints[i]
			hint := ""
			if e.Hints != nil {
				for _, zone := range e.Hints.ForZones {
					hint += zone.Name
				}
				for _, node := range e.Hints.ForNodes {
					hint += node.Name
				}
			}
			all = append(all, fmt.Sprintf("%s %v %s %s %v %v %v %q %q %q of %s with %v", s.AddressType, desired.Ports(s.Ports), e.TargetRef.UID,
				e.TargetRef.Name, *e.Conditions.Ready, *e.Conditions.Serving, *e.Conditions.Terminating, value(e.Zone), hint, value(e.Hostname),
				s.OwnerReferences[0].UID, s.Labels))
		}
		if len(s.Endpoints) == 0 {
			all = append(all, s.Name+" is empty")
		}
	}
	slices.Sort(all)
	return all
}

func value(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// One changed endpoint is one write of its slice, and no endpoint moves.
func TestOneChangeTouchesOneSlice(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 50 {
		c := newCluster(t, build.Service("shop/web"))
		c.options.MaxEndpoints = 1 + random.IntN(10)
		count := 1 + random.IntN(60)
		for range 3 {
			c.put(numbered(1+random.IntN(count), count)...)
			c.converge()
			c.remove(fmt.Sprintf("w%02d", 1+random.IntN(count)))
			c.converge()
		}
		names := slices.Sorted(maps.Keys(c.workloads))
		if len(names) == 0 {
			continue
		}
		name := names[random.IntN(len(names))]
		address := ""
		for _, object := range c.api.List() {
			for i := range object.Endpoints {
				if object.Endpoints[i].TargetRef.Name == name {
					address = object.Endpoints[i].Addresses[0]
				}
			}
		}
		for _, option := range []build.WorkloadOption{build.NotReady(), build.IPs(address), build.Zone("z1"), build.Deleting()} {
			c.put(build.Workload("shop/"+name, build.IPs(address), option))
			p := c.next()
			if len(p.Writes) != 1 || p.Writes[0].Operation != plan.Update || p.More() {
				t.Fatalf("one change of %d endpoints, %d a slice, gives\n%s", len(names), c.options.MaxEndpoints, &p)
			}
			c.apply(1, p)
		}
	}
}
