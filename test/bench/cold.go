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

// coldTurns are one start of each contender; bare is the time that creating the same slices
// takes.
type coldTurns struct {
	controller, earlier, floor start
	bare                       time.Duration
	slices                     int
}

// coldStart lets the contenders start in turn, and compares them.
func coldStart(ctx context.Context, s *stage, shape shape, repeats int) ([]row, error) {
	if err := s.fill(ctx, shape); err != nil {
		return nil, err
	}
	var rounds []coldTurns
	for range repeats {
		one, err := s.coldTurns(ctx, shape)
		if err != nil {
			return nil, err
		}
		rounds = append(rounds, one)
	}
	return coldRows(shape, rounds), nil
}

// coldTurns begins and ends without slices.
func (s *stage) coldTurns(ctx context.Context, shape shape) (t coldTurns, err error) {
	if t.controller, err = s.startOnce(ctx, s.bench.binary, shape); err != nil {
		return t, err
	}
	templates, err := s.slices(ctx)
	if err != nil {
		return t, err
	}
	t.slices = len(templates)
	if err := s.withdraw(ctx); err != nil {
		return t, err
	}
	if t.bare, err = s.bareCreate(ctx, templates, shape.total()); err != nil {
		return t, err
	}
	if err := s.withdraw(ctx); err != nil {
		return t, err
	}
	if earlier := s.bench.options.earlier; earlier != "" {
		if t.earlier, err = s.startOnce(ctx, earlier, shape); err != nil {
			return t, err
		}
		if err := s.withdraw(ctx); err != nil {
			return t, err
		}
	}
	if shape.workloads <= floorEndpoints {
		t.floor, err = s.floorOnce(ctx, shape)
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
func coldRows(shape shape, rounds []coldTurns) []row {
	of := func(figure func(start) float64) func(coldTurns) float64 {
		return func(t coldTurns) float64 { return figure(t.controller) }
	}
	writing := row{
		Part: partCold, Name: "cold start, " + shape.String(), Unit: seconds, Goal: ratioAtMost(1.25),
		Note: fmt.Sprintf("after %.2f s in which the caches were filled; CPU time of the controller %.2f s in all, resident %.0f MiB at the end; median of %d",
			median(rounds, of(func(s start) float64 { return s.listing.Seconds() })), median(rounds, of(start.cpuTime)),
			median(rounds, of(func(s start) float64 { return s.used.resident / (1 << 20) })), len(rounds)),
	}.compareStarts(rounds, func(s start) float64 { return s.writing.Seconds() })
	writing.Bare, writing.Floor = median(rounds, func(t coldTurns) float64 { return t.bare.Seconds() }), 0
	written := row{
		Part: partWrites, Name: "writes of a cold start, " + shape.String(), Unit: writes, Goal: equal(),
		Note: "the API server's count, compared with the number of slices",
	}.compareStarts(rounds, func(s start) float64 { return float64(s.writes) })
	written.Bare, written.Floor = float64(rounds[0].slices), 0
	rows := []row{writing, written}
	if shape.workloads > floorEndpoints {
		return rows
	}
	return append(rows, row{
		Part: partCold, Name: "process start to everything published, " + shape.String(), Unit: seconds, Goal: timesFloor(1.3),
		Note: fmt.Sprintf("with a new Lease; the floor has none; median of %d", len(rounds)),
	}.compareStarts(rounds, start.whole), row{
		Part: partCold, Name: "CPU time of that start, " + shape.String(), Unit: seconds, Goal: timesFloor(2),
	}.compareStarts(rounds, start.cpuTime))
}

// compareStarts fills in the median of a figure for each contender.
func (r row) compareStarts(rounds []coldTurns, figure func(start) float64) row {
	r.Measured = median(rounds, func(t coldTurns) float64 { return figure(t.controller) })
	r.Earlier = median(rounds, func(t coldTurns) float64 { return figure(t.earlier) })
	r.Floor = median(rounds, func(t coldTurns) float64 { return figure(t.floor) })
	return r
}
