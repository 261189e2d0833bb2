package loop

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"
)

const (
	// hangsAfter is how long a failing sync may take before its key counts as
	// hanging: its next try waits for a place among those that hang.
	hangsAfter = time.Second
	// startRate is how many keys a second a namespace may begin beside its
	// neighbours, as far as it begins more than one at a time. It is a small part
	// of what an API server takes, so that neighbours do not wait for that either.
	startRate = 100
	// startBurst is how many it may begin before that: a change that touches some
	// thousands of Services is published with all workers.
	startBurst = 2000
	// neighbourFor is how long a namespace counts as a neighbour after one of
	// its keys was begun.
	neighbourFor = time.Second
)

// namespaceQueue decides which key is worked on next. Namespaces take turns.
// All workers are used, but for these:
//
//   - The last sixteenth of the workers is for namespaces of which no key is
//     worked on, so that requests that hang in one do not stop the others.
//   - Keys whose sync failed slowly get at most a quarter of the workers, so that
//     requests that hang do not stop the other keys of their namespace.
//   - A namespace that has begun startBurst keys, and goes on faster than
//     startRate, begins further ones only one at a time while it has neighbours
//     that are not busy themselves. More would make them wait for the API server.
//
// It is the order of a workqueue, which keeps keys unique and measures: a worker
// calls acquire, then the workqueue's Get, and finish before Done. It is safe
// for concurrent use.
type namespaceQueue struct {
	clock clock.PassiveClock

	mu sync.Mutex
	// changed wakes those who wait in acquire.
	changed *sync.Cond
	closed  bool
	waking  bool

	workers int
	// waiting counts the keys that are neither granted nor in work.
	waiting int
	ready   rotation
	hanging rotation
	// granted are the keys that acquire has chosen and Pop has not given yet.
	granted []cache.ObjectName
	// hangs are the keys whose last sync failed slowly.
	hangs map[cache.ObjectName]struct{}

	working    tally
	namespaces map[string]*namespace
	// resting are the namespaces that began to have no keys, the first of them first.
	resting []visit
	// last is of the namespace of which a key was begun last, and other of the
	// one before that was another; busy ones do not count.
	last, other visit
}

// tally counts keys in work.
type tally struct{ all, hanging int }

// namespace is what is known of a namespace that has keys or had some lately.
type namespace struct {
	working tally
	starts  *rate.Limiter
	// restingSince is when its last key was finished; zero while it has one.
	restingSince time.Time
	// listed is true while it is among those that rest.
	listed bool
}

// visit is when a key of a namespace was begun.
type visit struct {
	namespace string
	at        time.Time
}

func newNamespaceQueue(clock clock.PassiveClock) *namespaceQueue {
	q := &namespaceQueue{
		clock: clock, ready: newRotation(), hanging: newRotation(),
		hangs: map[cache.ObjectName]struct{}{}, namespaces: map[string]*namespace{},
	}
	q.changed = sync.NewCond(&q.mu)
	return q
}

// open says how many workers there are.
func (q *namespaceQueue) open(workers int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.workers = workers
}

// close ends all waiting in acquire.
func (q *namespaceQueue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.changed.Broadcast()
}

// Touch implements workqueue.Queue: a key that waits keeps its place.
func (q *namespaceQueue) Touch(cache.ObjectName) {}

// Push implements workqueue.Queue.
func (q *namespaceQueue) Push(key cache.ObjectName) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.forgetRested(q.clock.Now())
	n := q.namespaces[key.Namespace]
	if n == nil {
		n = &namespace{starts: rate.NewLimiter(startRate, startBurst)}
		q.namespaces[key.Namespace] = n
	}
	n.restingSince = time.Time{}
	if _, hangs := q.hangs[key]; hangs {
		q.hanging.push(key)
	} else {
		q.ready.push(key)
	}
	q.waiting++
	q.changed.Signal()
}

// Len implements workqueue.Queue: it counts the keys that Pop may give.
func (q *namespaceQueue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.granted)
}

// Pop implements workqueue.Queue. It is called only while Len is not zero.
func (q *namespaceQueue) Pop() cache.ObjectName {
	q.mu.Lock()
	defer q.mu.Unlock()
	key := q.granted[0]
	q.granted = q.granted[1:]
	return key
}

// size returns the number of keys that wait.
func (q *namespaceQueue) size() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.waiting
}

// acquire waits until a key may be begun, which Pop then gives. It returns false
// once the queue is closed.
func (q *namespaceQueue) acquire() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.closed {
		if key, found := q.next(); found {
			q.granted = append(q.granted, key)
			return true
		}
		q.changed.Wait()
	}
	return false
}

// next takes the key that is begun next. Those that hang come first, since they
// have few places.
func (q *namespaceQueue) next() (cache.ObjectName, bool) {
	var key cache.ObjectName
	hangs := false
	if q.working.hanging < q.hangingPlaces() {
		key, hangs = q.hanging.take(q.mayRetry)
	}
	if !hangs {
		now := q.clock.Now()
		var found bool
		if key, found = q.ready.take(func(namespace string) bool { return q.mayBegin(namespace, now) }); !found {
			return key, false
		}
	}
	q.begin(key, hangs)
	return key, true
}

// begin counts a key that is worked on from now on.
func (q *namespaceQueue) begin(key cache.ObjectName, hangs bool) {
	n, now := q.namespaces[key.Namespace], q.clock.Now()
	q.waiting--
	q.working.all, n.working.all = q.working.all+1, n.working.all+1
	if hangs {
		q.working.hanging, n.working.hanging = q.working.hanging+1, n.working.hanging+1
		return
	}
	n.starts.AllowN(now, 1)
	if n.starts.TokensAt(now) >= startBurst/2 { // it is not busy itself
		if q.last.namespace != key.Namespace {
			q.other = q.last
		}
		q.last = visit{key.Namespace, now}
	}
}

// finish counts a key as not worked on any more. It hangs if its sync took a
// while and failed.
func (q *namespaceQueue) finish(key cache.ObjectName, hangs bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := q.namespaces[key.Namespace]
	q.working.all, n.working.all = q.working.all-1, n.working.all-1
	if _, hung := q.hangs[key]; hung {
		q.working.hanging, n.working.hanging = q.working.hanging-1, n.working.hanging-1
	}
	if hangs {
		q.hangs[key] = struct{}{}
	} else {
		delete(q.hangs, key)
	}
	if n.working.all == 0 && !q.ready.has(key.Namespace) && !q.hanging.has(key.Namespace) {
		q.rest(key.Namespace, n, q.clock.Now())
	}
	q.changed.Signal()
}
