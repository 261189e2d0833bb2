// Package schedule runs a function for each of many keys, each at its own
// period, with one timer and within a capacity that all runs share, such as memory.
//
// A key's runs lie on a fixed grid of its period, shifted by a phase that
// follows from its seed. So the runs of many keys are spread evenly, without
// chance and without memory, also after a restart. A run that cannot start in
// time starts late; runs that were missed are left out, never made up for.
//
// Namespaces share the capacity fairly. They take turns, none gets so much that
// nothing is left for the next one, and keys whose runs take long share between
// an eighth and half of all. A key that was set again counts as one of these until
// its run has been quick: changing it gains nothing.
//
// The package knows nothing of probes or workloads.
package schedule

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"
)

// Func is what is run for a key. ctx is cancelled when the key is removed or
// set again. It returns true if it took long because of what the key stands for.
type Func func(ctx context.Context, key cache.ObjectName, run Run) (slow bool)

// Run describes one run.
type Run struct {
	// Late is how much later than planned it starts.
	Late time.Duration
	// Early is whether it was asked for by RunEarly before it was due.
	Early bool
}

// Plan says when a key is run.
type Plan struct {
	// Seed decides the phase; equal seeds have equal phases.
	Seed uint64
	// Period is the time from one run to the next.
	Period time.Duration
	// Created is when what the key stands for was created, and InitialDelay how
	// long after that the first run is due. A creation later than the first Set
	// of the key counts as that: clocks differ.
	Created      time.Time
	InitialDelay time.Duration
	// Spread puts the first run on the grid too. Without it the first run is
	// due at once.
	Spread bool
	// Cost is what a run takes of the capacity; 0 stands for the largest cost.
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
	// all is what all runs use, and forSlow what the slow ones among them use.
	all, forSlow usage
}

// New makes a Schedule whose runs stay within the capacity.
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

// Set plans the runs of key from now on. What was planned for it is forgotten,
// and a run in progress is cancelled.
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

// Remove forgets key. A run in progress is cancelled.
func (s *Schedule) Remove(key cache.ObjectName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.entries[key]; old != nil {
		s.drop(old)
	}
}

// RunEarly runs keys as soon as there is any room, before all others. Their
// next runs are due when they were. Keys that are running are left alone.
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

// Run runs what is due until ctx is cancelled, and returns when the last run has ended.
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

// idle is how long the timer waits while no key is due before that.
const idle = time.Hour

// start starts the runs that are due as far as there is room. It returns the
// time until the next one is due.
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

// next returns the entry that runs next; nil while there is no room for any.
func (s *Schedule) next() *entry {
	if !s.all.hasRoom() {
		return nil
	}
	for s.early.len() > 0 {
		if next := s.early.pop(); next.place == inEarly {
			return next
		}
	}
	// Keys that are new are slow ones too. They get the first part, so that
	// prompt ones, however many, cannot keep them from being run at all.
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

// nextSlow returns the slow entry that runs next; nil while there is no room for any.
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

// end plans the next run when one has ended, so that no key ever has two at a time.
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

// drop forgets an entry wherever it is: in the heap, in a queue (which skips it
// later) or running.
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

// wake makes Run look again. One pending wake-up is enough.
func (s *Schedule) wake() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}
