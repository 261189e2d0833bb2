package main

import (
	"context"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"
)

// inFlight is the maximum number of status writes in flight.
const inFlight = 64

// A course is a sequence of changes of readiness at a fixed rate.
type course struct {
	// steps are the indexes of the workloads, in order.
	steps []int
	// ready is the new readiness of a step's workload.
	ready func(step int) bool
	// rate is in changes a second.
	rate float64
	// after, if set, is called when a change was acknowledged.
	after func(ctx context.Context, workload string, ready bool) error
}

// courseRun is the result of a course.
type courseRun struct {
	took []time.Duration
	// rate is the number of acknowledged changes a second.
	rate float64
	// tail is the time from the last acknowledgement until everything was published.
	tail time.Duration
}

// fly makes the changes of a course and waits until all of them are published.
func (s *stage) fly(ctx context.Context, c course) (courseRun, error) {
	w, err := s.newWatcher(ctx)
	if err != nil {
		return courseRun{}, err
	}
	defer w.stop()
	flips := make([]*flip, len(c.steps))
	begin := time.Now()
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(inFlight)
	for step, index := range c.steps {
		if err := sleepUntil(groupCtx, begin.Add(time.Duration(float64(step)/c.rate*float64(time.Second)))); err != nil {
			break // the group returns the error
		}
		group.Go(func() error {
			name, ready := workloadName(index), c.ready(step)
			flips[step] = w.await(name, ready)
			if err := s.setReady(groupCtx, index, ready, time.Now()); err != nil {
				return err
			}
			flips[step].acknowledged = time.Now()
			if c.after == nil {
				return nil
			}
			return c.after(groupCtx, name, ready)
		})
	}
	if err := group.Wait(); err != nil {
		return courseRun{}, err
	}
	if ctx.Err() != nil {
		return courseRun{}, context.Cause(ctx)
	}
	last := time.Now()
	took, err := w.latencies(ctx, flips)
	return courseRun{took: took, rate: float64(len(flips)) / last.Sub(begin).Seconds(), tail: time.Since(last)}, err
}

func sleepUntil(ctx context.Context, at time.Time) error {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// round visits the Services one after another and changes another workload of each in
// every round, so that as many slices as possible change.
func round(s shape, steps int) []int {
	indexes := make([]int, steps)
	for step := range indexes {
		indexes[step] = step%s.services*s.workloads + step/s.services%s.workloads
	}
	return indexes
}

// shuffled returns workloads in a random order that is always the same.
func shuffled(s shape, steps int) []int {
	return rand.New(rand.NewPCG(1, 2)).Perm(s.total())[:steps]
}

func becomes(ready bool) func(int) bool { return func(int) bool { return ready } }
