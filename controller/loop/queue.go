package loop

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"
)

const (
	// hangsAfter is how long a failing sync may take before its key counts as hanging.
	// Retries of hanging keys have a limited number of places.
	hangsAfter = time.Second
	// startRate is the number of keys per second that a busy namespace may start in
	// parallel while it has neighbours. It is a small part of what an API server
	// handles, so that neighbours do not wait for the API server either.
	startRate = 100
	// startBurst is the number of keys that it may start before that: all workers
	// publish a change that affects some thousands of Services.
	startBurst = 2000
	// neighbourFor is how long a namespace counts as a neighbour after one of its keys
	// was started.
	neighbourFor = time.Second
)

// namespaceQueue decides which key is synced next. Namespaces take turns. Keys may use
// all workers, with these limits:
//
//   - The last sixteenth of the workers is reserved for namespaces without a key in
//     progress, so that requests that hang in one namespace do not stop the others.
//   - Keys whose sync failed slowly ("hanging") get at most a quarter of the workers,
//     so that they do not stop the other keys of their namespace.
//   - A namespace that has used up startBurst and exceeds startRate starts further keys
//     only one at a time while it has neighbours that are not busy themselves.
//     Otherwise they would wait for the API server.
//
// It implements the order of a workqueue, which deduplicates keys and has metrics: a
// worker calls acquire, then the workqueue's Get, and finish before Done. It is safe
// for concurrent use.
type namespaceQueue struct {
	clock clock.PassiveClock

	mu sync.Mutex
	// changed wakes the workers that wait in acquire.
	changed *sync.Cond
	closed  bool
	waking  bool

	workers int
	// waiting is the number of keys that are neither granted nor in progress.
	waiting int
	ready   rotation
	hanging rotation
	// granted are the keys that acquire has selected and Pop has not returned yet.
	granted []cache.ObjectName
	// hangs are the keys whose last sync failed slowly.
	hangs map[cache.ObjectName]struct{}

	working    tally
	namespaces map[string]*namespace
	// resting are the namespaces without keys, in the order in which they became so.
	resting []visit
	// last is the last start of a key, and other the last one in another namespace than
	// last. Starts of busy namespaces do not count.
	last, other visit
}

// tally counts keys in progress.
type tally struct{ all, hanging int }

// namespace is the state of a namespace that has keys or recently had some.
type namespace struct {
	working tally
	starts  *rate.Limiter
	// restingSince is when its last key was finished; zero while it has one.
	restingSince time.Time
	// listed is true while it is in resting.
	listed bool
}

// visit is the start of a key of a namespace.
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

// open sets the number of workers.
func (q *namespaceQueue) open(workers int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.workers = workers
}

// close ends all calls of acquire.
func (q *namespaceQueue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.changed.Broadcast()
}

// Touch implements workqueue.Queue: a waiting key keeps its place.
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

// Len implements workqueue.Queue: it returns the number of keys that Pop may return.
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

// acquire waits until a key may be started, which Pop then returns. It returns false
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

// next removes the key that is started next. Hanging keys come first, because they have
// few places.
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

// begin records that a key is in progress.
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

// finish records that a key is no longer in progress. The key counts as hanging if its
// sync was slow and failed.
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
