package loop

import (
	"maps"
	"slices"
	"sync"
	"time"

	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"
)

const (
	// busyAfter is how long a namespace may want more than its share until it
	// counts as busy: keys of it wait, or more than the share are worked on, as
	// many workers leave nothing to wait. A moment without takes busyRelief moments
	// with off, so that it must want more for over four fifths of the time.
	busyAfter  = 5 * time.Second
	busyRelief = 4
	// busyMost is the most time that is remembered.
	busyMost = 7 * time.Second
	// neighbourFor is how long a namespace counts as a neighbour of others after
	// one of its keys was taken.
	neighbourFor = time.Minute
	// busyShare is how many keys of a busy namespace that has neighbours are
	// worked on at once. More would keep the API server so busy that the
	// neighbours wait for it, however soon it is their turn here.
	busyShare = 1
)

// fairQueue is the order in which keys wait: the namespaces take turns, and
// within a namespace it is first come, first served. So a namespace with
// thousands of waiting keys delays the key of another by one of its own. It is
// safe for concurrent use.
type fairQueue struct {
	clock clock.PassiveClock
	mu    sync.Mutex
	// waiting holds the keys of each namespace that has any or lately had.
	waiting map[string]*backlog
	// turns are the namespaces that have keys, in the order of their turns.
	turns []string
	size  int
	// working counts the keys of each namespace that were taken and not finished.
	working map[string]int
	// last is of the namespace from which a key was taken last, and other of
	// the one before that was another.
	last, other visit
}

// backlog is what waits of one namespace, and for how long the namespace has
// wanted more than its share, as of a time.
type backlog struct {
	keys   []cache.ObjectName
	wanted time.Duration
	asOf   time.Time
}

// pass brings wanted to a time, until which so many keys were worked on.
func (b *backlog) pass(now time.Time, working int) {
	passed := now.Sub(b.asOf)
	if len(b.keys) == 0 && working <= busyShare {
		passed *= -busyRelief
	}
	b.wanted, b.asOf = min(max(b.wanted+passed, 0), busyMost), now
}

// visit is when a key of a namespace was taken.
type visit struct {
	namespace string
	at        time.Time
}

func newFairQueue(clock clock.PassiveClock) *fairQueue {
	return &fairQueue{clock: clock, waiting: map[string]*backlog{}, working: map[string]int{}}
}

// Touch implements workqueue.Queue: a key that waits keeps its place.
func (q *fairQueue) Touch(cache.ObjectName) {}

// Push implements workqueue.Queue.
func (q *fairQueue) Push(key cache.ObjectName) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.clock.Now()
	b := q.waiting[key.Namespace]
	if b == nil {
		b = &backlog{asOf: now}
		q.waiting[key.Namespace] = b
	}
	b.pass(now, q.working[key.Namespace])
	if len(b.keys) == 0 {
		q.turns = append(q.turns, key.Namespace)
	}
	b.keys = append(b.keys, key)
	q.size++
}

// Len implements workqueue.Queue. It counts no keys that may not be taken now:
// those of a namespace that has its share. Whoever finishes one of them looks
// for the next key, so that nobody has to be woken.
func (q *fairQueue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, found := q.next(); !found {
		return 0
	}
	return q.size
}

// Pop implements workqueue.Queue. It is called only while Len is not zero.
func (q *fairQueue) Pop() cache.ObjectName {
	q.mu.Lock()
	defer q.mu.Unlock()
	turn, found := q.next()
	if !found {
		turn = 0 // a namespace has become busy since Len was asked
	}
	namespace, now := q.turns[turn], q.clock.Now()
	q.turns = slices.Delete(q.turns, turn, turn+1)
	b := q.waiting[namespace]
	b.pass(now, q.working[namespace])
	key := b.keys[0]
	if b.keys = b.keys[1:]; len(b.keys) > 0 {
		q.turns = append(q.turns, namespace)
	}
	q.size--
	q.working[namespace]++
	if q.last.namespace != namespace {
		q.other = q.last
	}
	q.last = visit{namespace, now}
	return key
}

// finish tells that a key that was taken is not worked on any more.
func (q *fairQueue) finish(key cache.ObjectName) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.clock.Now()
	if b := q.waiting[key.Namespace]; b != nil {
		b.pass(now, q.working[key.Namespace])
	}
	if q.working[key.Namespace]--; q.working[key.Namespace] == 0 {
		delete(q.working, key.Namespace)
	}
	if q.size == 0 {
		q.forget(now)
	}
}

// waits is how many keys wait, whether they may be taken now or not.
func (q *fairQueue) waits() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.size
}

// next finds the turn of the first namespace that may have a key taken.
func (q *fairQueue) next() (turn int, found bool) {
	now := q.clock.Now()
	for turn, namespace := range q.turns {
		if q.working[namespace] < busyShare || !q.busy(namespace, now) {
			return turn, true
		}
	}
	return 0, false
}

// busy tells whether a namespace has wanted more than its share for long while
// others had work to do too.
func (q *fairQueue) busy(namespace string, now time.Time) bool {
	neighbour := q.last
	if neighbour.namespace == namespace {
		neighbour = q.other
	}
	b := q.waiting[namespace]
	b.pass(now, q.working[namespace])
	return b.wanted >= busyAfter && neighbour.namespace != "" && now.Sub(neighbour.at) < neighbourFor
}

// forget frees what is known of namespaces that want nothing and lately wanted
// little.
func (q *fairQueue) forget(now time.Time) {
	maps.DeleteFunc(q.waiting, func(namespace string, b *backlog) bool {
		b.pass(now, q.working[namespace])
		return len(b.keys) == 0 && q.working[namespace] == 0 && b.wanted < time.Second/10
	})
}
