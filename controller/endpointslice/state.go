package endpointslice

import (
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/client-go/tools/cache"
)

// serviceState is what is remembered of a Service from one sync to the next.
// What is published is decided without it: it says when the cache may be read,
// how old a change is, which writes are repairs and may wait, which names new
// slices cannot have, and what was reported already.
//
// Its owner is the worker that syncs the Service. The queue lets only one do so
// at a time, so it needs no lock.
type serviceState struct {
	// trigger is when the oldest change was seen that is not published and that
	// no endpoint shows; zero if there is none.
	trigger time.Time
	// since is up to when changes of endpoints are published.
	since time.Time
	// settled is true while everything of ours is published: what differs then
	// was changed by somebody else.
	settled bool
	// repairing counts the syncs of a repair that is under way; zero if none is.
	repairing int
	// namesTaken is how many names for new slices belong to somebody else.
	// Creations of one plan may meet them at once.
	namesTaken atomic.Int32

	cache      freshness
	altered    alterations
	refused    refusals
	contention contention
	reported   reported
}

// serviceStates holds the state of each Service. Workers of different Services
// use it at once.
type serviceStates struct{ byKey sync.Map }

// of returns the state of a Service, which is new if nothing is remembered. Of a
// Service that is new, changes of endpoints from before do not count: its own
// change, or the beginning of the lead, is the oldest.
func (s *serviceStates) of(key cache.ObjectName, now time.Time) *serviceState {
	if known, found := s.byKey.Load(key); found {
		return known.(*serviceState)
	}
	state := &serviceState{since: now}
	s.byKey.Store(key, state)
	return state
}

// forget frees the state of a Service of which nothing is left.
func (s *serviceStates) forget(key cache.ObjectName) { s.byKey.Delete(key) }

// changes are what handlers saw and no sync has taken up yet: the Services that
// changed and when they first did. It is the only memory that handlers and
// workers share, and safe for concurrent use.
type changes struct {
	mu    sync.Mutex
	first map[cache.ObjectName]time.Time
}

func newChanges() *changes { return &changes{first: map[cache.ObjectName]time.Time{}} }

// add takes note of a change of a Service. The time is zero if the endpoints
// that changed show it themselves.
func (c *changes) add(key cache.ObjectName, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if before := c.first[key]; before.IsZero() {
		c.first[key] = at
	}
}

// take removes the changes of a Service. It reports whether there were any.
func (c *changes) take(key cache.ObjectName) (first time.Time, changed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	first, changed = c.first[key]
	delete(c.first, key)
	return first, changed
}

// takeUp adds to what is to be published.
func (s *serviceState) takeUp(first time.Time, changed bool) {
	if !changed {
		return
	}
	s.settled, s.repairing = false, 0
	if s.trigger.IsZero() {
		s.trigger = first
	}
}

// settle takes note that a sync, which began at a time, made everything as
// desired.
func (s *serviceState) settle(begin time.Time) {
	s.trigger, s.since, s.settled, s.repairing = time.Time{}, begin, true, 0
}
