package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	o, err := parse([]string{"--size=full", "--cold=3x4", "--churn=20x5", "--only=cold,churn", "--repeats=2", "--growth=500x10", "--", "--workers=4"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]shape{{3, 4}}, o.size.cold, cmp.AllowUnexported(shape{})); diff != "" {
		t.Error(diff)
	}
	if o.size.repeats != 2 || o.size.flips != 100 || o.size.burst != 100 || !o.wants(partChurn) || o.wants(partGrowth) {
		t.Errorf("options are %+v", o)
	}
	if diff := cmp.Diff([]extent{{1000, 10}, {5000, 500}}, o.size.growth, cmp.AllowUnexported(extent{})); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"--workers=4"}, o.forController); diff != "" {
		t.Error(diff)
	}
}

func TestParseRefuses(t *testing.T) {
	for argument, want := range map[string]string{
		"--size=huge": "small or full", "--only=rows": "some of", "--cold=5": "not a shape", "--cold=0x5": "not a shape",
		"--churn=2000x2000": "at most", "--repeats=-1": "negative", "--growth=500x5": "10 workloads in each", "--growth=20x10": "more than 500", "more": `unexpected argument "more"`,
	} {
		if _, err := parse([]string{argument}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %v, want one with %q", argument, err, want)
		}
	}
}

func TestCourses(t *testing.T) {
	// Three Services of two workloads: each Service changes once before any changes again.
	if diff := cmp.Diff([]int{0, 2, 4, 1, 3, 5, 0}, round(shape{3, 2}, 7)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(shuffled(shape{10, 10}, 20), shuffled(shape{10, 10}, 20)); diff != "" {
		t.Errorf("two shuffled orders differ:\n%s", diff)
	}
	course := backAndForth(3 * growthRepeat)
	for _, step := range []int{0, growthRepeat - 1, growthRepeat, 2 * growthRepeat} {
		if want := step/growthRepeat == 1; course.ready(step) != want {
			t.Errorf("step %d: ready is %v, want %v", step, course.ready(step), want)
		}
	}
}
