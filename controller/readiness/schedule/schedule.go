// Package schedule runs a function for each of many keys, each with its own period,
// with one timer and within a capacity that all runs share, such as memory.
//
// The runs of a key are on a fixed grid of its period, with a phase that depends on its
// seed. This spreads the runs of many keys evenly and deterministically, also after a
// restart. A run that cannot start in time starts late; missed runs are skipped.
//
// Namespaces share the capacity fairly. They take turns, none may use so much that
// nothing is left for the next one, and keys whose runs take long share between an
// eighth and half of the capacity. A key that is set again counts as one of these until
// one of its runs was quick, so changing it gives no advantage.
//
// The package is independent of probes and workloads.
package schedule

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"
)

// Func runs a key. ctx is cancelled when the key is removed or set again. It returns
// true if the run took long because of the key.
type Func func(ctx context.Context, key cache.ObjectName, run Run) (slow bool)

// Run describes one run.
type Run struct {
	// Late is the delay after the planned start.
	Late time.Duration
	// Early is true if RunEarly requested it before it was due.
	Early bool
}

// Plan says when a key is run.
type Plan struct {
	// Seed determines the phase; equal seeds have equal phases.
	Seed uint64
	// Period is the interval between runs.
	Period time.Duration
	// Created is the creation time, and InitialDelay the delay of the first run after
	// it. If Created is later than the first Set of the key, because clocks differ,
	// that Set counts instead.
	Created      time.Time
	InitialDelay time.Duration
	// Spread puts the first run on the grid too. Without it, the first run is due at
	// once.
	Spread bool
	// Cost is the capacity that a run uses; 0 for the largest cost.
	Cost int64
}

// Schedule holds the keys and their plans. Its methods are safe for concurrent use.
type Schedule struct {
	clock   clock.WithTicker
	run     Func
	changed chan struct{}

	mu      sync.Mutex
	entries map[cache.ObjectName]*entry
	waiting dueHeap
	early   fifo[*entry]
	prompt  *namespaceQueue
	slow    *namespaceQueue
	// all is the usage of all runs, and forSlow that of the slow ones.
	all, forSlow usage
}

// New returns a Schedule whose runs stay within the capacity.
func New(clock clock.WithTicker, capacity Capacity, run Func) (*Schedule, error) {
	if err := capacity.validate(); err != nil {
		return nil, err
	}
	half := Capacity{Total: max(capacity.Total/2, capacity.Largest), Largest: capacity.Largest}
	return &Schedule{
		clock:   clock,
		run:     run,
		changed: make(chan struct{}, 1),
		entries: map[cache.ObjectName]*entry{},
		prompt:  newNamespaceQueue(inPrompt),
		slow:    newNamespaceQueue(inSlow),
		all:     newUsage(capacity),
		forSlow: newUsage(half),
	}, nil
}

// Set schedules the runs of key from now on. It replaces the previous plan, and cancels
// a run in progress.
func (s *Schedule) Set(key cache.ObjectName, plan Plan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Now()
	plan.Cost = s.all.capacity.cost(plan)
	added := &entry{key: key, plan: plan, firstSet: now, slow: true}
	if old := s.entries[key]; old != nil {
		added.firstSet = old.firstSet
		s.drop(old)
	}
	added.due = plan.first(added.firstSet, now)
	s.entries[key] = added
	heap.Push(&s.waiting, added)
	s.wake()
}

// Remove removes key and cancels a run in progress.
func (s *Schedule) Remove(key cache.ObjectName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.entries[key]; old != nil {
		s.drop(old)
	}
}

// RunEarly runs keys as soon as there is capacity, before all others. It does not
// change when their next runs are due, and ignores running keys.
func (s *Schedule) RunEarly(keys ...cache.ObjectName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range keys {
		known := s.entries[key]
		if known == nil {
			continue
		}
		switch known.place {
		case inHeap:
			heap.Remove(&s.waiting, known.index)
			known.early = known.due.After(s.clock.Now())
		case inPrompt, inSlow:
			known.early = false
		default:
			continue
		}
		known.place = inEarly
		s.early.push(known)
	}
	s.wake()
}

// Run runs keys when they are due until ctx is cancelled, and returns when the last run
// has ended.
func (s *Schedule) Run(ctx context.Context) {
	var runs sync.WaitGroup
	defer runs.Wait()
	timer := s.clock.NewTimer(idle)
	defer timer.Stop()
	for {
		timer.Reset(s.start(ctx, &runs))
		select {
		case <-ctx.Done():
			return
		case <-s.changed:
		case <-timer.C():
		}
	}
}

// idle is how long the timer waits if no key is due earlier.
const idle = time.Hour

// start starts the due runs for which there is capacity. It returns the time until the
// next one is due.
func (s *Schedule) start(ctx context.Context, runs *sync.WaitGroup) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Now()
	for len(s.waiting) > 0 && !s.waiting[0].due.After(now) {
		due := heap.Pop(&s.waiting).(*entry)
		due.early = false
		if due.slow {
			s.slow.push(due)
		} else {
			s.prompt.push(due)
		}
	}
	for next := s.next(); next != nil; next = s.next() {
		s.begin(ctx, runs, next, now)
	}
	if len(s.waiting) == 0 {
		return idle
	}
	return min(s.waiting[0].due.Sub(now), idle)
}

// next returns the entry to run next; nil if there is no capacity for any.
func (s *Schedule) next() *entry {
	if !s.all.hasRoom() {
		return nil
	}
	for s.early.len() > 0 {
		if next := s.early.pop(); next.place == inEarly {
			return next
		}
	}
	// New keys count as slow. They get the first share, so that quick ones, however
	// many, cannot prevent them from running.
	if s.forSlow.used < s.all.capacity.Total/8 {
		if next := s.nextSlow(); next != nil {
			return next
		}
	}
	if next := s.prompt.pop(s.all.mayStart); next != nil {
		return next
	}
	return s.nextSlow()
}

// nextSlow returns the slow entry to run next; nil if there is no capacity for any.
func (s *Schedule) nextSlow() *entry {
	return s.slow.pop(func(namespace string) bool { return s.all.mayStart(namespace) && s.forSlow.mayStart(namespace) })
}

// begin starts one run.
func (s *Schedule) begin(ctx context.Context, runs *sync.WaitGroup, next *entry, now time.Time) {
	runContext, cancel := context.WithCancel(ctx)
	next.cancel, next.place = cancel, running
	run := Run{Early: next.early}
	if !next.early {
		run.Late = now.Sub(next.due)
	}
	slow := next.slow
	s.count(next.key.Namespace, slow, next.plan.Cost)
	runs.Go(func() {
		took := s.run(runContext, next.key, run)
		s.end(next, slow, took)
	})
}

// end schedules the next run when one has ended, so a key never has two concurrent
// runs.
func (s *Schedule) end(current *entry, wasSlow, isSlow bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	current.cancel()
	s.count(current.key.Namespace, wasSlow, -current.plan.Cost)
	if current.place == running {
		current.slow = isSlow
		current.due = current.plan.following(current.due, s.clock.Now())
		heap.Push(&s.waiting, current)
	}
	s.wake()
}

func (s *Schedule) count(namespace string, slow bool, cost int64) {
	s.all.add(namespace, cost)
	if slow {
		s.forSlow.add(namespace, cost)
	}
}

// drop removes an entry from wherever it is: the heap, a queue (which skips it later)
// or the running ones.
func (s *Schedule) drop(old *entry) {
	delete(s.entries, old.key)
	if old.place == inHeap {
		heap.Remove(&s.waiting, old.index)
	}
	old.place = removed
	if old.cancel != nil {
		old.cancel()
	}
}

// wake makes Run check again. One pending wake-up is enough.
func (s *Schedule) wake() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}
