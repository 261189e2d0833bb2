package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// growthGroup is the number of workloads of each Service.
	growthGroup = 10
	// growthServices is the number of Services whose workloads change, the same in every
	// extent.
	growthServices = 10
	growthRepeat   = growthServices * growthGroup
	bareFlips      = 2 * growthRepeat
)

// A point is the cost of changes with one extent of the namespace.
type point struct {
	extent   extent
	latency  time.Duration
	bare     time.Duration
	cpuTime  time.Duration
	resident float64
	peak     float64
	listing  time.Duration
}

// growth changes the same few workloads while the namespace grows.
func (b *bench) growth(ctx context.Context, s *stage) ([]row, error) {
	var points []point
	for _, extent := range b.options.size.growth {
		if err := s.addServices(ctx, extent.services); err != nil {
			return nil, err
		}
		if err := s.addWorkloads(ctx, extent.workloads, growthGroup); err != nil {
			return nil, err
		}
		p, err := b.point(ctx, s, extent)
		if err != nil {
			return nil, fmt.Errorf("with %s: %w", extent, err)
		}
		points = append(points, p)
		b.console.say("%s: p50 %.1f ms (bare %.1f ms), CPU time %.2f ms a change, resident %.0f MiB, highest %.0f MiB, caches filled in %.1f s",
			extent, ms(p.latency), ms(p.bare), ms(p.cpuTime), p.resident/(1<<20), p.peak/(1<<20), p.listing.Seconds())
	}
	return growthRows(points), nil
}

// point measures a controller that starts with the existing objects.
func (b *bench) point(ctx context.Context, s *stage, extent extent) (point, error) {
	c, err := s.startController(ctx, b.binary)
	if err != nil {
		return point{}, err
	}
	p, err := b.watchedPoint(ctx, s, c)
	if err := errors.Join(err, c.process.Stop()); err != nil {
		return point{}, err
	}
	p.extent = extent
	// The same with the bare API, which also has more objects.
	publisher, err := s.newPublisher(ctx)
	if err != nil {
		return point{}, err
	}
	course := backAndForth(bareFlips)
	course.after = publisher.publish
	run, err := s.fly(ctx, course)
	p.bare = percentile(run.took, 50)
	if err != nil {
		return point{}, err
	}
	course.steps = course.steps[:growthRepeat]
	return p, s.restore(ctx, course)
}

func (b *bench) watchedPoint(ctx context.Context, s *stage, c *controller) (point, error) {
	if err := c.settle(ctx); err != nil {
		return point{}, err
	}
	run, err := b.watched(ctx, s, c, "controller", backAndForth(b.options.size.growthFlips), "growth-cpu")
	if err != nil {
		return point{}, err
	}
	used, err := c.usage()
	return point{
		latency: percentile(run.took, 50), cpuTime: run.cpuTime,
		resident: used.resident, peak: used.peak, listing: c.filled.Sub(c.started),
	}, err
}

// backAndForth makes the workloads of the first Services not ready, then ready, and so on.
// Consecutive changes are in different Services.
func backAndForth(flips int) course {
	return course{
		steps: round(shape{growthServices, growthGroup}, flips),
		ready: func(step int) bool { return step/growthRepeat%2 == 1 },
		rate:  slowRate,
	}
}

// growthRows compare the smallest and the largest extent.
func growthRows(points []point) []row {
	first, last := points[0], points[len(points)-1]
	between := fmt.Sprintf("from %s to %s", first.extent, last.extent)
	rows := []row{
		{Part: partGrowth, Name: "growth of a change's CPU time", Unit: milliseconds, Measured: ms(last.cpuTime), Bare: ms(first.cpuTime), Goal: ratioAtMost(1.2), Note: between},
		{Part: partGrowth, Name: "growth of a change's latency, p50", Unit: milliseconds, Measured: ms(last.latency), Bare: ms(first.latency), Goal: ratioAtMost(1.3),
			Note: fmt.Sprintf("%s; that of the bare API grows from %.1f to %.1f ms", between, ms(first.bare), ms(last.bare))},
	}
	if last.extent.workloads >= 100_000 {
		more := float64(last.extent.workloads - first.extent.workloads)
		rows = append(rows, row{
			Part: partGrowth, Name: "resident memory of a workload", Unit: kibibytes,
			Measured: (last.resident - first.resident) / more / 1024, Goal: atMost(3),
			Note: fmt.Sprintf("%s, Services and slices included: from %.0f to %.0f MiB", between, first.resident/(1<<20), last.resident/(1<<20)),
		})
	}
	return rows
}
