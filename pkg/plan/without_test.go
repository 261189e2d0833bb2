package plan_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/plan"
)

func TestWithoutSomeWritesTheOthersWaitForTheSameOnes(t *testing.T) {
	for sentence, c := range map[string]struct {
		leftOut []string
		want    map[string][]int
	}{
		"nothing is left out": {want: map[string][]int{"s0": nil, "s1": {0}, "s2": {0, 1}}},
		"what another waits for": {
			leftOut: []string{"s0"}, want: map[string][]int{"s1": nil, "s2": {0}},
		},
		"the last":   {leftOut: []string{"s2"}, want: map[string][]int{"s0": nil, "s1": {0}}},
		"everything": {leftOut: []string{"s0", "s1", "s2"}, want: map[string][]int{}},
	} {
		t.Run(sentence, func(t *testing.T) {
			whole := plan.Plan{StepsLeft: 1, Recovering: true, Writes: []plan.Write{
				{Slice: build.Slice("shop/s0")},
				{Slice: build.Slice("shop/s1"), After: []int{0}},
				{Slice: build.Slice("shop/s2"), After: []int{0, 1}},
			}}
			rest := whole.Without(func(w *plan.Write) bool { return slices.Contains(c.leftOut, w.Slice.Name) })
			got := map[string][]int{}
			for _, w := range rest.Writes {
				got[w.Slice.Name] = w.After
			}
			if diff := cmp.Diff(c.want, got); diff != "" || rest.StepsLeft != 1 || !rest.Recovering {
				t.Errorf("%d steps left, writes: -want +got\n%s", rest.StepsLeft, diff)
			}
			if !slices.Equal(whole.Writes[2].After, []int{0, 1}) {
				t.Error("the plan itself was changed")
			}
		})
	}
}

// The replacement of an endpoint is not published without the write that withdraws the
// endpoint.
func TestWithoutAWithdrawalNothingTakesItsPlace(t *testing.T) {
	whole := plan.Plan{Writes: []plan.Write{
		{Slice: build.Slice("shop/s0"), Changes: []plan.Change{{Workload: "a", Action: plan.Withdraw}}},
		{Slice: build.Slice("shop/s1"), After: []int{0}},
		{Slice: build.Slice("shop/s2")},
	}}
	rest := whole.Without(func(w *plan.Write) bool { return w.Slice.Name == "s0" })
	if len(rest.Writes) != 1 || rest.Writes[0].Slice.Name != "s2" {
		t.Errorf("the plan is\n%s", &rest)
	}
}
