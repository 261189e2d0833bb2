package endpointslice

import (
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/client-go/tools/cache"
)

// serviceState is the state of a Service that is kept from sync to sync. It does not
// affect what is published. It determines when the cache may be read, how old a change
// is, which writes are repairs and may wait, which names new slices cannot have, and
// what was reported already.
//
// The worker that syncs the Service owns it. The queue permits only one at a time, so
// it needs no mutex.
type serviceState struct {
	// trigger is when the oldest change was observed that is not published and that no
	// endpoint shows; zero if there is none.
	trigger time.Time
	// since is the time until which changes of endpoints are published.
	since time.Time
	// settled is true while everything is published: a difference was then made by
	// another writer.
	settled bool
	// repairing is the number of syncs of the current repair; zero if there is none.
	repairing int
	// namesTaken is the number of names for new slices that other objects have.
	// Creations of one plan may find them concurrently.
	namesTaken atomic.Int32

	cache      freshness
	altered    alterations
	refused    refusals
	contention contention
	reported   reported
}

// serviceStates has the state of each Service. Workers use it concurrently.
type serviceStates struct{ byKey sync.Map }

// of returns the state of a Service, a new one if there is none. For a new one, changes
// of endpoints from before do not count: the oldest change is that of the Service, or
// the beginning of the leadership.
func (s *serviceStates) of(key cache.ObjectName, now time.Time) *serviceState {
	if known, found := s.byKey.Load(key); found {
		return known.(*serviceState)
	}
	state := &serviceState{since: now}
	s.byKey.Store(key, state)
	return state
}

// forget removes the state of a Service that does not exist any more.
func (s *serviceStates) forget(key cache.ObjectName) { s.byKey.Delete(key) }

// changes are changes that handlers observed and no sync has processed yet: the
// Services that changed and when they first did. They are the only memory that handlers
// and workers share, and are safe for concurrent use.
type changes struct {
	mu    sync.Mutex
	first map[cache.ObjectName]time.Time
}

func newChanges() *changes { return &changes{first: map[cache.ObjectName]time.Time{}} }

// add records a change of a Service. The time is zero if the changed endpoints have it
// themselves.
func (c *changes) add(key cache.ObjectName, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if before := c.first[key]; before.IsZero() {
		c.first[key] = at
	}
}

// take removes the changes of a Service, and reports whether there were any.
func (c *changes) take(key cache.ObjectName) (first time.Time, changed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	first, changed = c.first[key]
	delete(c.first, key)
	return first, changed
}

// takeUp adds changes to those that have to be published.
func (s *serviceState) takeUp(first time.Time, changed bool) {
	if !changed {
		return
	}
	s.settled, s.repairing = false, 0
	if s.trigger.IsZero() {
		s.trigger = first
	}
}

// settle records that a sync, which began at a time, reached the desired state.
func (s *serviceState) settle(begin time.Time) {
	s.trigger, s.since, s.settled, s.repairing = time.Time{}, begin, true, 0
}
