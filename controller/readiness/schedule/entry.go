package schedule

import (
	"context"
	"time"

	"k8s.io/client-go/tools/cache"
)

// place is where an entry is.
type place int

const (
	inHeap place = iota
	inPrompt
	inSlow
	inEarly
	running
	removed
)

// entry is one key.
type entry struct {
	key  cache.ObjectName
	plan Plan
	// firstSet is when the key was first set.
	firstSet time.Time
	due      time.Time
	// place is where the entry is, and index its index in the heap. A queue may still
	// contain entries that have left it, which place reveals.
	place place
	index int
	// slow is true if its last run took long, or it has not had one.
	slow bool
	// early is true if the run was requested before it was due.
	early  bool
	cancel context.CancelFunc
}

// first returns when the first run is due. A creation time in the future, by the API
// server's clock, delays nothing: the delay then counts from firstSet.
func (p Plan) first(firstSet, now time.Time) time.Time {
	from := p.Created
	if from.After(firstSet) {
		from = firstSet
	}
	first := from.Add(p.InitialDelay)
	if first.Before(now) {
		first = now
	}
	if p.Spread {
		first = p.next(first.Add(-1))
	}
	return first
}

// next returns the first time after now on the plan's grid.
func (p Plan) next(now time.Time) time.Time {
	period := p.Period.Nanoseconds()
	if period <= 0 {
		return now
	}
	phase := int64(p.Seed % uint64(period))
	since := (now.UnixNano() - phase) % period
	return now.Add(time.Duration(period - since))
}

// following returns when the next run is due, after one that was due at a time and
// ended now. If that run took so long that others were missed, the next one is due now,
// and the other missed runs are skipped.
func (p Plan) following(due, now time.Time) time.Time {
	if due.After(now) {
		return due // the run was early
	}
	if next := p.next(due); next.After(now) {
		return next
	}
	return now
}

// dueHeap is a heap of entries, the earliest first.
type dueHeap []*entry

func (h dueHeap) Len() int { return len(h) }

// Less orders entries due at the same time by key, for a deterministic order.
func (h dueHeap) Less(i, j int) bool {
	if !h[i].due.Equal(h[j].due) {
		return h[i].due.Before(h[j].due)
	}
	if h[i].key.Namespace != h[j].key.Namespace {
		return h[i].key.Namespace < h[j].key.Namespace
	}
	return h[i].key.Name < h[j].key.Name
}

func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push is for package heap.
func (h *dueHeap) Push(x any) {
	added := x.(*entry)
	added.index, added.place = len(*h), inHeap
	*h = append(*h, added)
}

// Pop is for package heap.
func (h *dueHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return last
}
