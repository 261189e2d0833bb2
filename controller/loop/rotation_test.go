package loop

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/cache"
)

func anyNamespace(string) bool { return true }

func TestNamespacesTakeTurns(t *testing.T) {
	r := newRotation()
	for i := range 3 {
		r.push(cache.NewObjectName("crowd", fmt.Sprint(i)))
	}
	r.push(cache.NewObjectName("single", "a"))
	r.push(cache.NewObjectName("pair", "a"))
	r.push(cache.NewObjectName("pair", "b"))
	var order []string
	for {
		key, found := r.take(anyNamespace)
		if !found {
			break
		}
		if order = append(order, key.String()); len(order) == 3 {
			r.push(cache.NewObjectName("late", "a"))
		}
	}
	want := []string{"crowd/0", "single/a", "pair/a", "crowd/1", "pair/b", "late/a", "crowd/2"}
	if diff := cmp.Diff(want, order); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	if len(r.waiting) > 0 || r.turns.Len() > 0 {
		t.Errorf("an empty rotation keeps %v", r.waiting)
	}
}

func TestNamespaceThatIsPassedOverKeepsItsTurn(t *testing.T) {
	r := newRotation()
	for _, namespace := range []string{"a", "b", "c"} {
		r.push(cache.NewObjectName(namespace, "1"))
	}
	if key, _ := r.take(func(namespace string) bool { return namespace != "a" }); key.Namespace != "b" {
		t.Errorf("%s was taken, want b's", key)
	}
	if key, _ := r.take(anyNamespace); key.Namespace != "a" {
		t.Errorf("%s was taken, want a's", key)
	}
}

// The fault: draining 100,000 namespaces took 2.5 s under the lock, because each step
// moved all the others.
func TestDrainingLooksAtEachNamespaceOnce(t *testing.T) {
	const namespaces = 100_000
	r := newRotation()
	for i := range namespaces {
		r.push(cache.NewObjectName(fmt.Sprint("dead-", i), "a"))
	}
	looks := 0
	for range namespaces {
		if _, found := r.take(func(string) bool { looks++; return true }); !found {
			t.Fatal("a key is missing")
		}
	}
	if looks != namespaces {
		t.Errorf("it visited namespaces %d times, and there are %d", looks, namespaces)
	}
}

// BenchmarkDraining is linear if the cost of a key does not depend on their number.
func BenchmarkDraining(b *testing.B) {
	for _, namespaces := range []int{1_000, 100_000} {
		b.Run(fmt.Sprint(namespaces), func(b *testing.B) {
			var keys []cache.ObjectName
			for i := range namespaces {
				keys = append(keys, cache.NewObjectName(fmt.Sprint("dead-", i), "a"))
			}
			for b.Loop() {
				r := newRotation()
				for _, key := range keys {
					r.push(key)
				}
				for range keys {
					r.take(anyNamespace)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*namespaces), "ns/key")
		})
	}
}
