package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// heartbeatCount is the number of heartbeats.
const heartbeatCount = 500

// memory returns the memory of a controller after all changes.
func (b *bench) memory(ctx context.Context, c *controller, floor float64) ([]row, error) {
	used, err := c.usage()
	if err != nil {
		return nil, err
	}
	if err := c.saveProfile(ctx, b.options.profiles, "heap", "memory-heap"); err != nil {
		return nil, err
	}
	return []row{{
		Part: partMemory, Name: fmt.Sprintf("resident memory, %d workloads", b.options.size.churn.total()), Unit: mebibytes,
		Measured: used.resident / (1 << 20), Floor: floor / (1 << 20), Goal: timesFloor(1.5),
		Note: fmt.Sprintf("%.0f MiB of it are pages of files, mostly the program itself; peak %.0f MiB", used.files/(1<<20), used.peak/(1<<20)),
	}}, nil
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
func (s *stage) restart(ctx context.Context, floorListing time.Duration) ([]row, error) {
	before, err := s.sliceWrites(ctx)
	if err != nil {
		return nil, err
	}
	var listing []time.Duration
	var cpuTime []time.Duration
	for range s.bench.options.size.repeats {
		c, err := s.startController(ctx)
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
		Measured: median(listing, time.Duration.Seconds), Floor: floorListing.Seconds(), Goal: timesFloor(1.3),
		Note: fmt.Sprintf("the floor's value is the time of its list; CPU time of the restart %.2f s; median of %d", median(cpuTime, time.Duration.Seconds), len(listing)),
	}}, err
}
