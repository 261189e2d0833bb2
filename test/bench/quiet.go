package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// heartbeatCount is how many heartbeats are sent.
const heartbeatCount = 500

// memory is that of a controller that has published and followed all.
func (b *bench) memory(ctx context.Context, c *controller) ([]row, error) {
	used, err := c.usage()
	if err != nil {
		return nil, err
	}
	if err := c.saveProfile(ctx, b.options.profiles, "heap", "memory-heap"); err != nil {
		return nil, err
	}
	return []row{{
		Part: partMemory, Name: fmt.Sprintf("resident memory, %d workloads", b.options.size.churn.total()), Unit: mebibytes,
		Measured: used.resident / (1 << 20), Goal: atMost(70),
		Note: fmt.Sprintf("%.0f MiB of it are pages of files, mostly the program itself; at its highest %.0f MiB", used.files/(1<<20), used.peak/(1<<20)),
	}}, nil
}

// heartbeats are status writes that change nothing but lastProbeTime.
func (b *bench) heartbeats(ctx context.Context, s *stage, c *controller) ([]row, error) {
	before, err := s.sliceWrites(ctx)
	if err != nil {
		return nil, err
	}
	count := min(heartbeatCount, len(s.versions))
	// A later time, so that the object does change.
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

// restart starts a controller that finds everything as it should be.
func (s *stage) restart(ctx context.Context) (row, error) {
	before, err := s.sliceWrites(ctx)
	if err != nil {
		return row{}, err
	}
	c, err := s.startController(ctx)
	if err != nil {
		return row{}, err
	}
	settling := c.settle(ctx)
	after, err := s.sliceWrites(ctx)
	return row{
		Part: partWrites, Name: "writes of a restart", Unit: writes,
		Measured: float64(after - before), Goal: equal(),
	}, errors.Join(settling, err, c.process.Stop())
}
