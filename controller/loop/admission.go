package loop

import "time"

// This file decides which keys of namespaceQueue may be started now. Its functions need
// the mutex.

// mayRetry reports whether a hanging key of a namespace may be retried.
func (q *namespaceQueue) mayRetry(namespace string) bool {
	working := q.namespaces[namespace].working
	return admits(q.working.hanging, working.hanging, q.hangingPlaces(), q.reserve()) &&
		admits(q.working.all, working.all, q.workers, q.reserve())
}

// mayBegin reports whether a key of a namespace may be started.
func (q *namespaceQueue) mayBegin(name string, now time.Time) bool {
	n := q.namespaces[name]
	if !admits(q.working.all, n.working.all, q.workers, q.reserve()) {
		return false
	}
	if n.working.all == 0 || n.starts.TokensAt(now) >= 1 || !q.hasNeighbour(name, now) {
		return true
	}
	q.wakeSoon()
	return false
}

// admits reports whether one more key may be started, with all keys in progress and
// mine of this namespace. The last places are reserved for namespaces without a key in
// progress.
func admits(all, mine, places, reserve int) bool {
	return all < places-reserve || mine == 0 && all < places
}

// hangingPlaces returns the maximum number of hanging keys in progress.
func (q *namespaceQueue) hangingPlaces() int { return max(q.workers/4, 1) }

// reserve returns the number of places for namespaces without a key in progress.
func (q *namespaceQueue) reserve() int { return max(q.workers/16, 1) }

// hasNeighbour reports whether a key of another namespace, which is not busy, was
// started recently.
func (q *namespaceQueue) hasNeighbour(name string, now time.Time) bool {
	neighbour := q.last
	if neighbour.namespace == name {
		neighbour = q.other
	}
	return !neighbour.at.IsZero() && now.Sub(neighbour.at) < neighbourFor
}

// wakeSoon wakes waiting workers when the skipped namespace may start a key: without
// another event, nothing else would.
func (q *namespaceQueue) wakeSoon() {
	if q.waking {
		return
	}
	q.waking = true
	time.AfterFunc(time.Second/startRate, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.waking = false
		q.changed.Broadcast()
	})
}
