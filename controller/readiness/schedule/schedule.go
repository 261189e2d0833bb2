// Package schedule runs a function for each of many keys, each at its own
// period, with one timer and a bounded number of goroutines.
//
// A key's turns lie on a fixed grid of its period, shifted by a phase that
// follows from its seed. So the turns of many keys are spread evenly, without
// chance and without memory, also after a restart. A turn that cannot start in
// time starts late; turns that were missed are left out, never made up for.
//
// The package knows nothing of probes or workloads.
package schedule

import (
	"container/heap"
	"context"
	"errors"
	"sync"
	"time"

	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"
)

// Turn is one run of the function for a key. ctx is cancelled when the key is
// removed or set anew. late is how much later than planned the turn starts.
// Turn returns true if it took long because of what the key stands for; such
// keys share half of the goroutines until they are quick again, so that the
// others always have the rest.
type Turn func(ctx context.Context, key cache.ObjectName, late time.Duration) (slow bool)

// Plan says when a key has its turns.
type Plan struct {
	// Seed decides the phase; equal seeds have equal phases.
	Seed uint64
	// Period is the time from one turn to the next.
	Period time.Duration
	// NotBefore is the earliest time of the first turn.
	NotBefore time.Time
	// Spread puts the first turn on the grid too. Without it the first turn is
	// due at once.
	Spread bool
}

// Schedule holds the keys and their turns. Its methods are safe for concurrent use.
type Schedule struct {
	clock       clock.WithTicker
	concurrency int
	turn        Turn
	changed     chan struct{}

	mu      sync.Mutex
	entries map[cache.ObjectName]*entry
	waiting waiting
	prompt  fifo
	slow    fifo
	running int
	// slowRunning is how many of those running were slow the last time.
	slowRunning int
}

// New makes a Schedule that runs at most so many turns at the same time.
func New(clock clock.WithTicker, concurrency int, turn Turn) (*Schedule, error) {
	if concurrency < 1 {
		return nil, errors.New("concurrency must be at least 1")
	}
	return &Schedule{
		clock:       clock,
		concurrency: concurrency,
		turn:        turn,
		changed:     make(chan struct{}, 1),
		entries:     map[cache.ObjectName]*entry{},
	}, nil
}

// Set plans the turns of key from now on. What was planned for it is
// forgotten, and a turn that runs is cancelled.
func (s *Schedule) Set(key cache.ObjectName, plan Plan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(key)
	now := s.clock.Now()
	first := plan.NotBefore
	if first.Before(now) {
		first = now
	}
	if plan.Spread {
		first = plan.next(first.Add(-1))
	}
	added := &entry{key: key, plan: plan, due: first, index: outside}
	s.entries[key] = added
	heap.Push(&s.waiting, added)
	s.wake()
}

// Remove forgets key. A turn of it that runs is cancelled.
func (s *Schedule) Remove(key cache.ObjectName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(key)
}

// Run runs turns until ctx is cancelled, and returns when the last has ended.
func (s *Schedule) Run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	timer := s.clock.NewTimer(idle)
	defer timer.Stop()
	for {
		timer.Reset(s.start(ctx, &running))
		select {
		case <-ctx.Done():
			return
		case <-s.changed:
		case <-timer.C():
		}
	}
}

// idle is how long the timer waits while no key has a turn before that.
const idle = time.Hour

// start starts the turns that are due as far as there is room. It returns the
// time until the next turn is due.
func (s *Schedule) start(ctx context.Context, running *sync.WaitGroup) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Now()
	for len(s.waiting) > 0 && !s.waiting[0].due.After(now) {
		due := heap.Pop(&s.waiting).(*entry)
		if due.slow {
			s.slow.push(due)
		} else {
			s.prompt.push(due)
		}
	}
	for next := s.ready(); next != nil; next = s.ready() {
		turnContext, cancel := context.WithCancel(ctx)
		next.cancel = cancel
		s.running++
		if next.slow {
			s.slowRunning++
		}
		running.Go(func() { s.run(turnContext, next, now.Sub(next.due)) })
	}
	if len(s.waiting) == 0 {
		return idle
	}
	return min(s.waiting[0].due.Sub(now), idle)
}

// ready takes the entry whose turn starts next; nil while there is no room.
func (s *Schedule) ready() *entry {
	if s.running >= s.concurrency {
		return nil
	}
	if next := s.prompt.pop(); next != nil {
		return next
	}
	if s.slowRunning >= max(s.concurrency/2, 1) {
		return nil
	}
	return s.slow.pop()
}

// run is one turn. The next one is planned when it has ended, so that no key
// ever has two at a time.
func (s *Schedule) run(ctx context.Context, current *entry, late time.Duration) {
	slow := s.turn(ctx, current.key, late)
	s.mu.Lock()
	defer s.mu.Unlock()
	current.cancel()
	s.running--
	if current.slow {
		s.slowRunning--
	}
	if !current.gone {
		current.slow = slow
		current.due = current.plan.following(current.due, s.clock.Now())
		heap.Push(&s.waiting, current)
	}
	s.wake()
}

// drop forgets the entry of key wherever it is: in the heap, in a queue (which
// skips it later) or in its turn.
func (s *Schedule) drop(key cache.ObjectName) {
	old, known := s.entries[key]
	if !known {
		return
	}
	delete(s.entries, key)
	old.gone = true
	if old.index != outside {
		heap.Remove(&s.waiting, old.index)
	}
	if old.cancel != nil {
		old.cancel()
	}
}

// wake makes Run look again. One pending wake-up is enough.
func (s *Schedule) wake() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}
