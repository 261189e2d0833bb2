package plan_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"github.com/external-workload/controller/pkg/plan"
)

// TestSliceWithRefusedPortsDoesNotBlockOthers: slices change their ports one at a time,
// and the first one was always refused.
func TestSliceWithRefusedPortsDoesNotBlockOthers(t *testing.T) {
	c := newCluster(t, named, numbered(1, 3, port(8080))...)
	c.options.MaxEndpoints = 1
	c.converge()
	c.put(numbered(1, 3, port(9090))...)
	c.settle()
	first := c.next()
	if len(first.Writes) != 1 {
		t.Fatalf("want one slice that begins its change:\n%s", &first)
	}
	refused := first.Writes[0].Slice
	c.options.Failed = map[types.UID]time.Time{refused.UID: c.now}
	var lines []string
	for range manySteps {
		p := c.next()
		p.Writes = without(p.Writes, refused.UID)
		if p.Empty() {
			break
		}
		lines = append(lines, c.apply(len(lines)+1, p)...)
	}
	if len(lines) != 4 {
		t.Errorf("the other two slices take %d writes, want 2 for each: %v", len(lines), lines)
	}
	begins := c.next()
	if len(begins.Writes) != 1 || begins.Writes[0].Slice.UID != refused.UID {
		t.Errorf("the refused slice is not retried:\n%s", &begins)
	}
	// Its endpoints are withdrawn, and then it is refused again, in the middle of its change.
	c.apply(0, begins)
	c.put(numbered(1, 3, port(7070))...)
	c.settle()
	if p := c.next(); len(without(p.Writes, refused.UID)) != 1 {
		t.Errorf("no other slice begins its change while that one is refused:\n%s", &p)
	}
	c.options.Failed = nil
	c.converge()
	if diff := cmp.Diff(desiredLines(c.state()), actualLines(c)); diff != "" {
		t.Errorf("in the end (-want +got):\n%s", diff)
	}
}

// without removes the writes of a slice from a plan.
func without(writes []plan.Write, uid types.UID) []plan.Write {
	var rest []plan.Write
	for _, w := range writes {
		if w.Slice.UID != uid {
			rest = append(rest, w)
		}
	}
	return rest
}
