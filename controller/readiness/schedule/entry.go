package schedule

import (
	"context"
	"time"

	"k8s.io/client-go/tools/cache"
)

// outside is the index of an entry that is not in the heap.
const outside = -1

// entry is one key. It is in the heap, in one of the queues, or in its turn.
type entry struct {
	key    cache.ObjectName
	plan   Plan
	due    time.Time
	index  int
	slow   bool
	gone   bool
	cancel context.CancelFunc
}

// next is the first time after now that lies on the plan's grid.
func (p Plan) next(now time.Time) time.Time {
	period := p.Period.Nanoseconds()
	if period <= 0 {
		return now
	}
	phase := int64(p.Seed % uint64(period))
	since := (now.UnixNano() - phase) % period
	return now.Add(time.Duration(period - since))
}

// following is when the turn after one that was due at a time and ended now is
// due. If the turn took so long that others were missed, it is due now, and
// all but that one are left out.
func (p Plan) following(due, now time.Time) time.Time {
	if next := p.next(due); next.After(now) {
		return next
	}
	return now
}

// waiting is a heap of entries, the earliest first.
type waiting []*entry

func (w waiting) Len() int { return len(w) }

// Less orders entries due at the same time by key, for a deterministic order.
func (w waiting) Less(i, j int) bool {
	if !w[i].due.Equal(w[j].due) {
		return w[i].due.Before(w[j].due)
	}
	if w[i].key.Namespace != w[j].key.Namespace {
		return w[i].key.Namespace < w[j].key.Namespace
	}
	return w[i].key.Name < w[j].key.Name
}

func (w waiting) Swap(i, j int) {
	w[i], w[j] = w[j], w[i]
	w[i].index, w[j].index = i, j
}

// Push is for package heap.
func (w *waiting) Push(x any) {
	added := x.(*entry)
	added.index = len(*w)
	*w = append(*w, added)
}

// Pop is for package heap.
func (w *waiting) Pop() any {
	old := *w
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*w = old[:len(old)-1]
	last.index = outside
	return last
}

// fifo is a queue of entries that are due and wait for room.
type fifo struct {
	entries []*entry
	head    int
}

func (f *fifo) push(added *entry) { f.entries = append(f.entries, added) }

// pop takes the first entry that is not gone; nil if there is none. The room
// of those taken is used again once they are the larger half.
func (f *fifo) pop() *entry {
	for f.head < len(f.entries) {
		first := f.entries[f.head]
		f.entries[f.head] = nil
		f.head++
		if f.head*2 >= len(f.entries) {
			rest := copy(f.entries, f.entries[f.head:])
			clear(f.entries[rest:])
			f.entries, f.head = f.entries[:rest], 0
		}
		if !first.gone {
			return first
		}
	}
	return nil
}
