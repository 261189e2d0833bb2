package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// heartbeatCount is the number of heartbeats.
const heartbeatCount = 500

// withoutChange measures what must not write: heartbeats and restarts. floorListing is in
// seconds.
func (b *bench) withoutChange(ctx context.Context, s *stage, floorListing float64) (rows []row, err error) {
	c, _, err := s.startAndPublish(ctx, b.binary, b.options.size.churn)
	if err != nil {
		return nil, err
	}
	rows, err = b.heartbeats(ctx, s, c)
	if err := errors.Join(err, c.process.Stop()); err != nil {
		return rows, err
	}
	restarts, err := s.restart(ctx, floorListing)
	return append(rows, restarts...), err
}

// heartbeats are status writes that change nothing but lastProbeTime.
func (b *bench) heartbeats(ctx context.Context, s *stage, c *controller) ([]row, error) {
	before, err := s.sliceWrites(ctx)
	if err != nil {
		return nil, err
	}
	count := min(heartbeatCount, len(s.versions))
	// A later time, so that the object changes.
	later := time.Now().Add(time.Minute)
	err = each(ctx, seeders, 0, count, func(ctx context.Context, index int) error {
		return s.setReady(ctx, index, true, later)
	})
	if err != nil {
		return nil, err
	}
	if err := c.settle(ctx); err != nil {
		return nil, err
	}
	after, err := s.sliceWrites(ctx)
	return []row{{
		Part: partWrites, Name: fmt.Sprintf("writes of %d heartbeats", count), Unit: writes,
		Measured: float64(after - before), Goal: equal(),
	}}, err
}

// restart starts a controller with everything published, and compares the time until its
// caches are filled with the time of the floor's list.
func (s *stage) restart(ctx context.Context, floorListing float64) ([]row, error) {
	before, err := s.sliceWrites(ctx)
	if err != nil {
		return nil, err
	}
	var listing []time.Duration
	var cpuTime []time.Duration
	for range s.bench.options.size.repeats {
		c, err := s.startController(ctx, s.bench.binary)
		if err != nil {
			return nil, err
		}
		settling := c.settle(ctx)
		used, err := c.usage()
		if err := errors.Join(settling, err, c.process.Stop()); err != nil {
			return nil, err
		}
		listing, cpuTime = append(listing, c.filled.Sub(c.started)), append(cpuTime, used.cpuTime)
	}
	after, err := s.sliceWrites(ctx)
	return []row{{
		Part: partWrites, Name: "writes of a restart", Unit: writes, Measured: float64(after - before), Goal: equal(),
	}, {
		Part: partWrites, Name: "restart until changes are followed", Unit: seconds,
		Measured: median(listing, time.Duration.Seconds), Floor: floorListing, Goal: timesFloor(1.3),
		Note: fmt.Sprintf("the floor's value is the time of its list; CPU time of the restart %.2f s; median of %d", median(cpuTime, time.Duration.Seconds), len(listing)),
	}}, err
}
