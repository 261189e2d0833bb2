package plan_test

import (
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/plan"
)

// created returns the names of the slices that a plan creates.
func created(p plan.Plan) []string {
	var names []string
	for _, write := range p.Writes {
		if write.Operation == plan.Create {
			names = append(names, write.Slice.Name)
		}
	}
	return names
}

func TestNames(t *testing.T) {
	c := newCluster(t, build.Service("shop/web"), numbered(1, 4)...)
	c.options.MaxEndpoints = 1
	names := created(c.next())
	looks := regexp.MustCompile(`^linkerd-external-web-[bcdfghjklmnpqrstvwxz2456789]{5}$`)
	seen := map[string]bool{}
	for _, name := range names {
		if !looks.MatchString(name) || seen[name] {
			t.Errorf("the name %q is duplicate or malformed", name)
		}
		seen[name] = true
	}
	if diff := cmp.Diff(names, created(c.next())); diff != "" {
		t.Errorf("a second plan has other names (-first +second):\n%s", diff)
	}

	c.options.NamesTaken = 1
	if diff := cmp.Diff(names[1:], created(c.next())[:3]); diff != "" {
		t.Errorf("the first name is taken (-want +got):\n%s", diff)
	}
	c.options.NamesTaken = 0
	c.createSlices(build.Slice("shop/"+names[1], build.Endpoint("w01", "192.0.2.1")))
	if diff := cmp.Diff([]string{names[0], names[2], names[3]}, created(c.next())); diff != "" {
		t.Errorf("the second name is in use (-want +got):\n%s", diff)
	}

	first := created(newCluster(t, build.Service("shop/web"), numbered(1, 1)...).next())
	second := created(newCluster(t, build.Service("shop/web", build.UID("second")), numbered(1, 1)...).next())
	if first[0] == second[0] {
		t.Errorf("a recreated Service reuses the name %s", second[0])
	}
}
