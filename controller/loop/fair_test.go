package loop

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"
)

func TestNamespacesTakeTurns(t *testing.T) {
	q := newFairQueue(clock.RealClock{})
	for i := range 3 {
		q.Push(cache.NewObjectName("crowd", fmt.Sprint(i)))
	}
	q.Push(cache.NewObjectName("single", "a"))
	q.Push(cache.NewObjectName("pair", "a"))
	q.Push(cache.NewObjectName("pair", "b"))

	var order []string
	var taken []cache.ObjectName
	for q.Len() > 0 {
		key := q.Pop()
		order, taken = append(order, key.String()), append(taken, key)
		if len(order) == 3 {
			q.Push(cache.NewObjectName("late", "a"))
		}
	}
	want := []string{"crowd/0", "single/a", "pair/a", "crowd/1", "pair/b", "late/a", "crowd/2"}
	if diff := cmp.Diff(want, order); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	for _, key := range taken {
		q.finish(key)
	}
	if len(q.waiting) > 0 || len(q.turns) > 0 || len(q.working) > 0 {
		t.Errorf("an empty queue remembers %v, %v, %v", q.waiting, q.turns, q.working)
	}
}

// crowd is a namespace that always has more to do: each key that is synced is
// added again at once. A sync takes 10 ms, as a write does.
type crowd struct {
	loop *Loop

	mu      sync.Mutex
	working int
	// most is how many of its keys were worked on at once since it was reset.
	most, synced int
}

func (c *crowd) sync(_ context.Context, key cache.ObjectName) (Outcome, error) {
	if key.Namespace == "crowd" {
		c.count(1)
		defer c.count(-1)
		defer c.loop.Add(key)
	}
	elapse(10 * time.Millisecond)
	return Outcome{}, nil
}

func (c *crowd) count(change int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.working += change
	c.most, c.synced = max(c.most, c.working), c.synced+max(change, 0)
}

// during gives how many keys of the crowd were worked on at once for a while,
// and how many in all.
func (c *crowd) during(d time.Duration) (most, synced int) {
	c.mu.Lock()
	c.most, c.synced = c.working, 0
	c.mu.Unlock()
	elapse(d)
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.most, c.synced
}

func TestBusyNamespaceLeavesTheAPIServerToItsNeighbours(t *testing.T) {
	const workers = 10
	synctest.Test(t, func(t *testing.T) {
		c := &crowd{}
		l, _, stop := run(t, workers, func(ctx context.Context, key cache.ObjectName) (Outcome, error) { return c.sync(ctx, key) })
		c.loop = l
		defer stop()
		for i := range 100 {
			l.Add(cache.NewObjectName("crowd", fmt.Sprint(i)))
		}
		if most, _ := c.during(time.Minute); most != workers {
			t.Errorf("alone it is worked on by %d at once, want all %d", most, workers)
		}
		l.Add(cache.NewObjectName("neighbour", "a"))
		elapse(time.Second)
		if most, synced := c.during(30 * time.Second); most != busyShare || synced < 2900 {
			t.Errorf("beside a neighbour %d are worked on at once and %d in 30 s, want %d and all that one worker can do", most, synced, busyShare)
		}
		if l.Len() < 90 {
			t.Errorf("the loop says that %d keys wait", l.Len())
		}
		elapse(neighbourFor)
		l.Add(cache.NewObjectName("crowd", "another"))
		if most, synced := c.during(10 * time.Second); most != workers || synced < 9000 {
			t.Errorf("when the neighbour has been quiet %d are worked on at once and %d in 10 s, want all %d again", most, synced, workers)
		}
	})
}

func TestMomentsWithoutBacklogAreTakenOff(t *testing.T) {
	for name, test := range map[string]struct {
		with, without time.Duration
		busy          bool
	}{
		"nine tenths of the time":   {with: 900 * time.Millisecond, without: 100 * time.Millisecond, busy: true},
		"half of the time":          {with: 500 * time.Millisecond, without: 500 * time.Millisecond},
		"one key in fifty at times": {with: 20 * time.Millisecond, without: 980 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := newFairQueue(clock.RealClock{})
				q.Push(cache.NewObjectName("neighbour", "a"))
				q.finish(q.Pop())
				for range 30 {
					q.Push(cache.NewObjectName("crowd", "a"))
					elapse(test.with)
					q.finish(q.Pop())
					elapse(test.without)
				}
				q.Push(cache.NewObjectName("crowd", "a"))
				q.Push(cache.NewObjectName("crowd", "b"))
				q.Pop()
				if busy := q.Len() == 0; busy != test.busy {
					t.Errorf("busy is %t, want %t", busy, test.busy)
				}
			})
		})
	}
}

// With many workers nothing waits, however much a namespace has to do.
func TestWhatIsWorkedOnCountsAsWanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newFairQueue(clock.RealClock{})
		q.Push(cache.NewObjectName("neighbour", "a"))
		q.finish(q.Pop())
		for range 30 {
			var taken []cache.ObjectName
			for i := range busyShare + 1 {
				q.Push(cache.NewObjectName("crowd", fmt.Sprint(i)))
				if q.Len() > 0 { // else it is busy already
					taken = append(taken, q.Pop())
				}
			}
			elapse(time.Second)
			for _, key := range taken {
				q.finish(key)
			}
		}
		q.Push(cache.NewObjectName("crowd", "last"))
		q.Pop()
		q.Push(cache.NewObjectName("crowd", "another"))
		if q.Len() != 0 {
			t.Errorf("%d keys may be taken of a namespace that is worked on all the time, want none", q.Len())
		}
	})
}

func TestNamespaceIsBusyOnlyAfterAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newFairQueue(clock.RealClock{})
		q.Push(cache.NewObjectName("neighbour", "a"))
		q.finish(q.Pop())
		for i := range 3 {
			q.Push(cache.NewObjectName("crowd", fmt.Sprint(i)))
		}
		first := q.Pop()
		if q.Len() != 2 {
			t.Errorf("at once %d keys may be taken, want 2", q.Len())
		}
		elapse(busyAfter + time.Millisecond)
		if q.Len() != 0 || q.waits() != 2 {
			t.Errorf("after %s %d keys may be taken and %d wait, want none of 2", busyAfter, q.Len(), q.waits())
		}
		q.Push(cache.NewObjectName("neighbour", "b"))
		if got := q.Pop(); got.Namespace != "neighbour" {
			t.Errorf("%s is next, want the neighbour's", got)
		}
		q.finish(first)
		if q.Len() != 2 {
			t.Errorf("after the first is finished %d keys may be taken, want 2", q.Len())
		}
	})
}
