package loop

import "time"

// Which keys of namespaceQueue may be begun now. All of it is called with its
// mutex held.

// mayRetry reports whether a key of a namespace that hangs may be tried again.
func (q *namespaceQueue) mayRetry(namespace string) bool {
	working := q.namespaces[namespace].working
	return admits(q.working.hanging, working.hanging, q.hangingPlaces(), q.reserve()) &&
		admits(q.working.all, working.all, q.workers, q.reserve())
}

// mayBegin reports whether a key of a namespace may be begun.
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

// admits reports whether one more may use a number of places, of which all and
// mine are in use. The last ones are for a namespace that has none.
func admits(all, mine, places, reserve int) bool {
	return all < places-reserve || mine == 0 && all < places
}

// hangingPlaces returns how many keys that hang may be worked on at once.
func (q *namespaceQueue) hangingPlaces() int { return max(q.workers/4, 1) }

// reserve returns how many places are for namespaces that have none.
func (q *namespaceQueue) reserve() int { return max(q.workers/16, 1) }

// hasNeighbour reports whether a key of another namespace, which is not busy, was
// begun lately.
func (q *namespaceQueue) hasNeighbour(name string, now time.Time) bool {
	neighbour := q.last
	if neighbour.namespace == name {
		neighbour = q.other
	}
	return !neighbour.at.IsZero() && now.Sub(neighbour.at) < neighbourFor
}

// wakeSoon lets waiting workers look again when the namespace that was passed
// over may begin a key: nothing else may happen until then.
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
