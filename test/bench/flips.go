package main

import (
	"context"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"
)

// inFlight bounds the status writes that wait for an answer.
const inFlight = 64

// A course is a row of changes of readiness that are made at a fixed rate.
type course struct {
	// steps are the indexes of the workloads, in order.
	steps []int
	// ready is what the workload of a step becomes.
	ready func(step int) bool
	// rate is in changes a second.
	rate float64
	// after, if given, is called when a change was acknowledged.
	after func(ctx context.Context, workload string, ready bool) error
}

// A run of a course.
type courseRun struct {
	took []time.Duration
	// rate is how many changes a second were acknowledged in fact.
	rate float64
	// tail is the time from the last acknowledgement until all was published.
	tail time.Duration
}

// fly makes the changes of a course and waits until all are published.
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
			break // the group knows why
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

// round goes through the Services one after another, and takes another
// workload of each in every round: a change in as many slices as possible.
func round(s shape, steps int) []int {
	indexes := make([]int, steps)
	for step := range indexes {
		indexes[step] = step%s.services*s.workloads + step/s.services%s.workloads
	}
	return indexes
}

// shuffled are workloads in an order that is by chance, and always the same.
func shuffled(s shape, steps int) []int {
	return rand.New(rand.NewPCG(1, 2)).Perm(s.total())[:steps]
}

func becomes(ready bool) func(int) bool { return func(int) bool { return ready } }
