package validation

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/desired"
	"github.com/external-workload/controller/pkg/plan"
)

// fewSteps is more than any change of a few slices needs.
const fewSteps = 30

// TestEveryWriteFromWhatAnOlderServerAcceptedIsValid starts with slices that the newest
// Kubernetes would refuse, and plans until the slices are as desired.
func TestEveryWriteFromWhatAnOlderServerAcceptedIsValid(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("first seed %d", seed)
	for i := range uint64(2000) {
		converge(t, fmt.Sprintf("seed %d", seed+i), build.RandomChoices(seed+i, 300))
		if t.Failed() {
			return
		}
	}
}

func FuzzWhatAnOlderServerAccepted(f *testing.F) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 0))
		data := make([]byte, 15*seed)
		for i := range data {
			data[i] = byte(random.UintN(256))
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) { converge(t, "this input", build.NewChoices(data)) })
}

// converge plans from random slices of an older server, and validates each write.
func converge(t *testing.T, which string, c *build.Choices) {
	t.Helper()
	service := build.AnyService(c)
	count := 1 + c.Below(5)
	var workloads []*desired.Workload
	for i := range count {
		object := build.AnyWorkload(c, fmt.Sprintf("shop/w%d", i))
		workloads = append(workloads, desired.NewWorkload(object, nil, desired.Sighting{At: build.Epoch.Add(time.Hour)}))
	}
	most := 1 + c.Below(4)
	var s server
	for i := range c.Below(4) {
		s.hold(olderSlice(c, service, fmt.Sprintf("web-%d", i), count))
	}
	var state desired.State
	state.Compute(service, workloads, desired.Options{ManagedBy: build.ManagedBy, Now: build.Epoch.Add(2 * time.Hour)})
	for step := 0; ; step++ {
		next := plan.Compute(&state, s.slices, plan.Options{MaxEndpoints: most})
		if next.Empty() {
			break
		}
		if step == fewSteps {
			t.Fatalf("%s: not done after %d steps:\n%s", which, step, &next)
		}
		for _, w := range next.Writes {
			if err := s.write(w); err != nil {
				t.Fatalf("%s: step %d is refused: %v", which, step, err)
			}
		}
	}
	if diff := cmp.Diff(desiredLines(&state), s.lines()); diff != "" {
		t.Errorf("%s: the slices are not as desired (-desired +actual):\n%s", which, diff)
	}
}

// desiredLines returns a line for each desired endpoint.
func desiredLines(state *desired.State) []string {
	lines := []string{}
	for f := range state.Families {
		family := &state.Families[f]
		for i := range family.Endpoints {
			e := &family.Endpoints[i]
			lines = append(lines, fmt.Sprintf("%s %s %s ready=%t at %s", family.AddressType, e.Workload.Name, e.Address, e.ReadyNow(), ports(family.Groups[e.Group])))
		}
	}
	slices.Sort(lines)
	return lines
}

func (s *server) lines() []string {
	lines := []string{}
	for _, slice := range s.slices {
		for i := range slice.Endpoints {
			e := &slice.Endpoints[i]
			lines = append(lines, fmt.Sprintf("%s %s %s ready=%t at %s", slice.AddressType, e.TargetRef.Name, strings.Join(e.Addresses, ","), *e.Conditions.Ready, ports(slice.Ports)))
		}
	}
	slices.Sort(lines)
	return lines
}

func ports(of []discoveryv1.EndpointPort) string {
	texts := []string{}
	for i := range of {
		text := fmt.Sprintf("%d/%s", *of[i].Port, *of[i].Protocol)
		if name := of[i].Name; name != nil {
			text = *name + ":" + text
		}
		texts = append(texts, text)
	}
	slices.Sort(texts)
	return strings.Join(texts, " ")
}
