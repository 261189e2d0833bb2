package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
)

// A start is one cold start of the controller or the floor.
type start struct {
	// listing is the time from the start of the process until its caches are filled (the
	// floor: until it has listed the workloads), writing the time from then until every
	// endpoint has been seen.
	listing, writing time.Duration
	cpuTime          time.Duration
	writes           int
}

// coldStart alternates between starts of the controller, starts of the floor and the bare
// creation of the same slices, and compares them.
func coldStart(ctx context.Context, s *stage, shape shape, repeats int) ([]row, error) {
	if err := s.fill(ctx, shape); err != nil {
		return nil, err
	}
	var starts, floors []start
	var bare []time.Duration
	var templates []discoveryv1.EndpointSlice
	for range repeats {
		one, err := s.startOnce(ctx, shape)
		if err != nil {
			return nil, err
		}
		starts = append(starts, one)
		if templates == nil {
			if templates, err = s.slices(ctx); err != nil {
				return nil, err
			}
		}
		if err := s.withdraw(ctx); err != nil {
			return nil, err
		}
		took, err := s.bareCreate(ctx, templates, shape.total())
		if err != nil {
			return nil, err
		}
		bare = append(bare, took)
		if err := s.withdraw(ctx); err != nil {
			return nil, err
		}
		if shape.workloads > floorEndpoints {
			continue
		}
		floor, err := s.floorOnce(ctx, shape)
		if err != nil {
			return nil, err
		}
		floors = append(floors, floor)
	}
	return append(coldRows(shape, starts, bare, len(templates)), startRows(shape, starts, floors)...), nil
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

// startRows compare whole starts, from the process to everything published.
func startRows(shape shape, starts, floors []start) []row {
	if len(floors) == 0 {
		return nil
	}
	whole := func(s start) float64 { return (s.listing + s.writing).Seconds() }
	cpuTime := func(s start) float64 { return s.cpuTime.Seconds() }
	return []row{{
		Part: partCold, Name: "process start to everything published, " + shape.String(), Unit: seconds,
		Measured: median(starts, whole), Floor: median(floors, whole), Goal: timesFloor(1.3),
		Note: fmt.Sprintf("with a new Lease; the floor has none; median of %d", len(starts)),
	}, {
		Part: partCold, Name: "CPU time of that start, " + shape.String(), Unit: seconds,
		Measured: median(starts, cpuTime), Floor: median(floors, cpuTime), Goal: timesFloor(2),
	}}
}

// startOnce starts the controller, waits until all is published and stops it.
func (s *stage) startOnce(ctx context.Context, shape shape) (one start, err error) {
	c, one, err := s.startAndPublish(ctx, shape)
	if err != nil {
		return start{}, err
	}
	return one, c.process.Stop()
}

// startAndPublish starts the controller and waits until all is published.
func (s *stage) startAndPublish(ctx context.Context, shape shape) (*controller, start, error) {
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
	c, err := s.startController(ctx)
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
		cpuTime: used.cpuTime, writes: after - before,
	}, err
}

func coldRows(shape shape, starts []start, bare []time.Duration, needed int) []row {
	listing := median(starts, func(s start) float64 { return s.listing.Seconds() })
	writing := median(starts, func(s start) float64 { return s.writing.Seconds() })
	cpuTime := median(starts, func(s start) float64 { return s.cpuTime.Seconds() })
	return []row{{
		Part: partCold, Name: "cold start, " + shape.String(), Unit: seconds,
		Measured: writing, Bare: median(bare, time.Duration.Seconds), Goal: ratioAtMost(1.25),
		Note: fmt.Sprintf("after %.2f s in which the caches were filled; CPU time of the controller %.2f s in all; median of %d", listing, cpuTime, len(starts)),
	}, {
		Part: partWrites, Name: "writes of a cold start, " + shape.String(), Unit: writes,
		Measured: median(starts, func(s start) float64 { return float64(s.writes) }), Bare: float64(needed), Goal: equal(),
		Note: "the API server's count, compared with the number of slices",
	}}
}
