package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A start is one cold start of the controller or the floor.
type start struct {
	// listing is the time from the start of the process until its caches are filled (the
	// floor: until it has listed the workloads), writing the time from then until every
	// endpoint has been seen.
	listing, writing time.Duration
	// used is the usage at that time.
	used   usage
	writes int
}

func (s start) whole() float64   { return (s.listing + s.writing).Seconds() }
func (s start) cpuTime() float64 { return s.used.cpuTime.Seconds() }

// coldStart lets the contenders start in turn, and compares them.
func coldStart(ctx context.Context, s *stage, shape shape, repeats int) ([]row, error) {
	if err := s.fill(ctx, shape); err != nil {
		return nil, err
	}
	var rounds []turns
	for range repeats {
		one, err := s.coldTurns(ctx, shape)
		if err != nil {
			return nil, err
		}
		rounds = append(rounds, one)
	}
	return coldRows(shape, rounds), nil
}

// coldTurns lets each contender start once; the bare API creates the same slices. It begins
// and ends without slices.
func (s *stage) coldTurns(ctx context.Context, shape shape) (t turns, err error) {
	if t.controller.start, err = s.startOnce(ctx, s.bench.binary, shape); err != nil {
		return t, err
	}
	templates, err := s.slices(ctx)
	if err != nil {
		return t, err
	}
	t.bare.start.writes = len(templates)
	if err := s.withdraw(ctx); err != nil {
		return t, err
	}
	if t.bare.start.writing, err = s.bareCreate(ctx, templates, shape.total()); err != nil {
		return t, err
	}
	if err := s.withdraw(ctx); err != nil {
		return t, err
	}
	if earlier := s.bench.options.earlier; earlier != "" {
		if t.earlier.start, err = s.startOnce(ctx, earlier, shape); err != nil {
			return t, err
		}
		if err := s.withdraw(ctx); err != nil {
			return t, err
		}
	}
	if shape.workloads <= floorEndpoints {
		t.floor.start, err = s.floorOnce(ctx, shape)
	}
	return t, err
}

// floorOnce starts the floor, waits until all is published, stops it and deletes its
// slices.
func (s *stage) floorOnce(ctx context.Context, shape shape) (start, error) {
	p, one, err := s.publishFloor(ctx, shape)
	if err != nil {
		return start{}, err
	}
	return one, errors.Join(p.process.Stop(), s.withdraw(ctx))
}

// startOnce starts the controller, waits until all is published and stops it.
func (s *stage) startOnce(ctx context.Context, binary string, shape shape) (one start, err error) {
	c, one, err := s.startAndPublish(ctx, binary, shape)
	if err != nil {
		return start{}, err
	}
	return one, c.process.Stop()
}

// startAndPublish starts the controller and waits until all is published.
func (s *stage) startAndPublish(ctx context.Context, binary string, shape shape) (*controller, start, error) {
	before, err := s.sliceWrites(ctx)
	if err != nil {
		return nil, start{}, err
	}
	w, err := s.newWatcher(ctx)
	if err != nil {
		return nil, start{}, err
	}
	defer w.stop()
	w.expect(shape.total())
	c, err := s.startController(ctx, binary)
	if err != nil {
		return nil, start{}, err
	}
	one, err := s.started(ctx, c, w, before)
	if err != nil {
		return nil, start{}, errors.Join(err, c.process.Stop())
	}
	return c, one, nil
}

func (s *stage) started(ctx context.Context, c *controller, w *watcher, before int) (start, error) {
	end, err := w.wait(ctx)
	if err != nil {
		return start{}, err
	}
	used, err := c.usage()
	if err != nil {
		return start{}, err
	}
	if err := c.settle(ctx); err != nil {
		return start{}, err
	}
	after, err := s.sliceWrites(ctx)
	return start{
		listing: c.filled.Sub(c.started), writing: end.Sub(c.filled),
		used: used, writes: after - before,
	}, err
}

// coldRows compare the medians: first the writing alone, then whole starts, from the process
// to everything published.
func coldRows(shape shape, rounds []turns) []row {
	of := func(figure func(start) float64) float64 {
		return median(rounds, func(t turns) float64 { return figure(t.controller.start) })
	}
	compare := func(r row, figure func(start) float64) row {
		return r.compare(rounds, func(t turn) float64 { return figure(t.start) })
	}
	writing := compare(row{
		Part: partCold, Name: "cold start, " + shape.String(), Unit: seconds, Goal: ratioAtMost(1.25),
		Note: fmt.Sprintf("after %.2f s in which the caches were filled; CPU time of the controller %.2f s in all, resident %.0f MiB at the end; median of %d",
			of(func(s start) float64 { return s.listing.Seconds() }), of(start.cpuTime),
			of(func(s start) float64 { return s.used.resident / (1 << 20) }), len(rounds)),
	}, func(s start) float64 { return s.writing.Seconds() })
	written := compare(row{
		Part: partWrites, Name: "writes of a cold start, " + shape.String(), Unit: writes, Goal: equal(),
		Note: "the API server's count, compared with the number of slices",
	}, func(s start) float64 { return float64(s.writes) })
	writing.Floor, written.Floor = 0, 0
	rows := []row{writing, written}
	if shape.workloads > floorEndpoints {
		return rows
	}
	whole := compare(row{
		Part: partCold, Name: "process start to everything published, " + shape.String(), Unit: seconds, Goal: timesFloor(1.3),
		Note: fmt.Sprintf("with a new Lease; the floor has none; median of %d", len(rounds)),
	}, start.whole)
	whole.Bare = 0 // the bare API only creates slices
	return append(rows, whole, compare(row{
		Part: partCold, Name: "CPU time of that start, " + shape.String(), Unit: seconds, Goal: timesFloor(2),
	}, start.cpuTime))
}
