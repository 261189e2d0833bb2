package loop

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/cache"
)

func TestNamespacesTakeTurns(t *testing.T) {
	q := newFairQueue()
	for i := range 3 {
		q.Push(cache.NewObjectName("crowd", fmt.Sprint(i)))
	}
	q.Push(cache.NewObjectName("single", "a"))
	q.Push(cache.NewObjectName("pair", "a"))
	q.Push(cache.NewObjectName("pair", "b"))

	var order []string
	for q.Len() > 0 {
		order = append(order, q.Pop().String())
		if len(order) == 3 {
			q.Push(cache.NewObjectName("late", "a"))
		}
	}
	want := []string{"crowd/0", "single/a", "pair/a", "crowd/1", "pair/b", "late/a", "crowd/2"}
	if diff := cmp.Diff(want, order); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	if len(q.waiting) > 0 || len(q.turns) > 0 {
		t.Errorf("an empty queue remembers %v, %v", q.waiting, q.turns)
	}
}
