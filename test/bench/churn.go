package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// depthInterval is the interval between reads of the queue depth under load.
	depthInterval = time.Second
	// restoreRate is the number of workloads a second that become ready again between two
	// courses.
	restoreRate = 200
)

// A subject is a program that is measured while workloads change.
type subject interface {
	usage() (usage, error)
	// settle returns when the program has no work left.
	settle(ctx context.Context) error
	saveProfile(ctx context.Context, folder, kind, name string) error
}

// churn first measures the bare API, on the slices of a first cold start, then the floor,
// and then the controller.
func (b *bench) churn(ctx context.Context, s *stage) ([]row, error) {
	shape := b.options.size.churn
	if err := s.fill(ctx, shape); err != nil {
		return nil, err
	}
	if _, err := s.startOnce(ctx, shape); err != nil {
		return nil, err
	}
	bare, err := b.bareCourses(ctx, s)
	if err != nil {
		return nil, err
	}
	if err := s.withdraw(ctx); err != nil {
		return nil, err
	}
	floor, err := b.floorRuns(ctx, s)
	if err != nil {
		return nil, err
	}
	c, _, err := s.startAndPublish(ctx, shape)
	if err != nil {
		return nil, err
	}
	rows, err := b.courses(ctx, s, c, bare, floor)
	if err := errors.Join(err, c.process.Stop()); err != nil {
		return rows, err
	}
	if b.options.wants(partWrites) {
		restarts, err := s.restart(ctx, floor.listing)
		return append(rows, restarts...), err
	}
	return rows, nil
}

// floorRuns are the runs of the floor.
type floorRuns struct {
	slow     []watched
	resident float64
	listing  time.Duration
}

// floorRuns starts the floor, measures the slow changes, stops it and deletes its slices.
func (b *bench) floorRuns(ctx context.Context, s *stage) (floorRuns, error) {
	p, start, err := s.publishFloor(ctx, b.options.size.churn)
	if err != nil {
		return floorRuns{}, err
	}
	runs := floorRuns{listing: start.listing}
	if b.options.wants(partChurn) {
		runs.slow, err = b.slowCourses(ctx, s, p, "floor")
	}
	used, usageErr := p.usage()
	runs.resident = used.resident
	return runs, errors.Join(err, usageErr, p.process.Stop(), s.withdraw(ctx))
}

// slowCourses makes the slow changes several times, and makes all workloads
// ready again after each.
func (b *bench) slowCourses(ctx context.Context, s *stage, of subject, name string) ([]watched, error) {
	var runs []watched
	for range b.options.size.repeats {
		run, err := b.watched(ctx, s, of, name, b.slow(), "churn-cpu")
		if err != nil {
			return nil, err
		}
		runs = append(runs, run)
		back := b.slow()
		back.ready, back.rate = becomes(true), restoreRate
		if _, err := s.fly(ctx, back); err != nil {
			return nil, err
		}
		if err := of.settle(ctx); err != nil {
			return nil, err
		}
	}
	return runs, nil
}

// bareRuns are the runs of the bare API.
type bareRuns struct {
	slow courseRun
	fast map[float64]courseRun // by their rates
}

// bareCourses makes each change of readiness and at once the resulting update of the
// slice. At the end every workload is ready again.
func (b *bench) bareCourses(ctx context.Context, s *stage) (bareRuns, error) {
	p, err := s.newPublisher(ctx)
	if err != nil {
		return bareRuns{}, err
	}
	runs := bareRuns{fast: map[float64]courseRun{}}
	if b.options.wants(partChurn) {
		if runs.slow, err = b.bareCourse(ctx, s, p, b.slow()); err != nil {
			return runs, err
		}
	}
	if b.options.wants(partBurst) {
		for _, rate := range fastRates {
			if runs.fast[rate], err = b.bareCourse(ctx, s, p, b.fast(rate)); err != nil {
				return runs, err
			}
		}
	}
	return runs, nil
}

func (b *bench) bareCourse(ctx context.Context, s *stage, p *publisher, course course) (courseRun, error) {
	b.console.say("bare API: %d changes at %.0f a second", len(course.steps), course.rate)
	course.after = p.publish
	run, err := s.fly(ctx, course)
	if err != nil {
		return run, err
	}
	return run, s.restore(ctx, course)
}

func (b *bench) slow() course {
	return course{steps: round(b.options.size.churn, b.options.size.flips), ready: becomes(false), rate: slowRate}
}

func (b *bench) fast(rate float64) course {
	return course{steps: shuffled(b.options.size.churn, b.options.size.burst), ready: becomes(false), rate: rate}
}

// restore makes the workloads of a course ready, as fast as possible.
func (s *stage) restore(ctx context.Context, c course) error {
	return each(ctx, seeders, 0, len(c.steps), func(ctx context.Context, step int) error {
		err := s.setReady(ctx, c.steps[step], true, time.Now())
		if err != nil || c.after == nil {
			return err
		}
		return c.after(ctx, workloadName(c.steps[step]), true)
	})
}

// courses measures a controller that has published everything.
func (b *bench) courses(ctx context.Context, s *stage, c *controller, bare bareRuns, floor floorRuns) ([]row, error) {
	var rows []row
	for _, measure := range []struct {
		part string
		do   func() ([]row, error)
	}{
		{partChurn, func() ([]row, error) { return b.slowRows(ctx, s, c, bare.slow, floor.slow) }},
		{partBurst, func() ([]row, error) { return b.fastCourses(ctx, s, c, bare.fast) }},
		{partMemory, func() ([]row, error) { return b.memory(ctx, c, floor.resident) }},
		{partWrites, func() ([]row, error) { return b.heartbeats(ctx, s, c) }},
	} {
		if !b.options.wants(measure.part) {
			continue
		}
		more, err := measure.do()
		if err != nil {
			return rows, err
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

// watched is the cost of a course's changes for the program that published them.
type watched struct {
	courseRun
	cpuTime time.Duration // of one change
	writes  int
}

// watched makes the changes of a course while a program runs. It takes a profile meanwhile
// if one is requested.
func (b *bench) watched(ctx context.Context, s *stage, c subject, name string, course course, profile string) (watched, error) {
	b.console.say("%s: %d changes at %.0f a second", name, len(course.steps), course.rate)
	before, err := c.usage()
	if err != nil {
		return watched{}, err
	}
	written, err := s.sliceWrites(ctx)
	if err != nil {
		return watched{}, err
	}
	var profiling error
	var beside sync.WaitGroup
	beside.Go(func() {
		lasts := time.Duration(float64(len(course.steps)) / course.rate * float64(time.Second))
		kind := fmt.Sprintf("profile?seconds=%d", max(int(lasts.Seconds()), 1))
		profiling = c.saveProfile(ctx, b.options.profiles, kind, profile)
	})
	run, err := s.fly(ctx, course)
	beside.Wait()
	if err := errors.Join(err, profiling); err != nil {
		return watched{}, err
	}
	after, err := c.usage()
	if err != nil {
		return watched{}, err
	}
	if err := c.settle(ctx); err != nil {
		return watched{}, err
	}
	writtenAfter, err := s.sliceWrites(ctx)
	return watched{
		courseRun: run, writes: writtenAfter - written,
		cpuTime: (after.cpuTime - before.cpuTime) / time.Duration(len(course.steps)),
	}, err
}

func (b *bench) slowRows(ctx context.Context, s *stage, c *controller, bare courseRun, floor []watched) ([]row, error) {
	runs, err := b.slowCourses(ctx, s, c, "controller")
	if err != nil {
		return nil, err
	}
	at := func(percent float64) func(watched) float64 {
		return func(w watched) float64 { return ms(percentile(w.took, percent)) }
	}
	cpuTime := func(w watched) float64 { return ms(w.cpuTime) }
	name := fmt.Sprintf("change of readiness, %d a second", slowRate)
	changes := len(runs[0].took)
	return []row{
		{Part: partChurn, Name: name + ", p50", Unit: milliseconds, Measured: median(runs, at(50)), Bare: ms(percentile(bare.took, 50)), Floor: median(floor, at(50)), Goal: timesFloor(1.15)},
		{Part: partChurn, Name: name + ", p99", Unit: milliseconds, Measured: median(runs, at(99)), Bare: ms(percentile(bare.took, 99)), Floor: median(floor, at(99)), Goal: timesFloor(1.3)},
		{Part: partChurn, Name: "CPU time of a change", Unit: milliseconds, Measured: median(runs, cpuTime), Floor: median(floor, cpuTime), Goal: timesFloor(1.3),
			Note: fmt.Sprintf("median of %d", len(runs))},
		{Part: partWrites, Name: fmt.Sprintf("writes of %d changes", changes), Unit: writes, Measured: median(runs, func(w watched) float64 { return float64(w.writes) }), Bare: float64(changes), Goal: equal(),
			Note: "each change is in a different slice, or long after the previous one"},
	}, nil
}

func (s *stage) restoreAndSettle(ctx context.Context, c *controller, course course) error {
	if err := s.restore(ctx, course); err != nil {
		return err
	}
	return c.settle(ctx)
}

func (b *bench) fastCourses(ctx context.Context, s *stage, c *controller, bare map[float64]courseRun) ([]row, error) {
	var rows []row
	for _, rate := range fastRates {
		fast, err := b.fastCourse(ctx, s, c, b.fast(rate), bare[rate])
		if err != nil {
			return rows, err
		}
		rows = append(rows, fast)
	}
	return rows, nil
}

// fastCourse reads the queue depth meanwhile.
func (b *bench) fastCourse(ctx context.Context, s *stage, c *controller, course course, bare courseRun) (row, error) {
	looking, stop := context.WithCancel(ctx)
	defer stop()
	var deepest float64
	var beside sync.WaitGroup
	beside.Go(func() { deepest = c.deepest(looking) })
	run, err := b.watched(ctx, s, c, "controller", course, fmt.Sprintf("burst-%.0f-cpu", course.rate))
	stop()
	beside.Wait()
	if err != nil {
		return row{}, err
	}
	return row{
		Part: partBurst, Name: fmt.Sprintf("change of readiness, %.0f a second, p99", course.rate), Unit: milliseconds,
		Measured: ms(percentile(run.took, 99)), Bare: ms(percentile(bare.took, 99)), Goal: ratioAtMost(1.3),
		Note: fmt.Sprintf("p50 %.1f ms, bare %.1f ms; %.0f a second were acknowledged, bare %.0f; %d writes for %d changes; up to %.0f Services queued; all published %.0f ms after the last; CPU time of a change %.2f ms",
			ms(percentile(run.took, 50)), ms(percentile(bare.took, 50)), run.rate, bare.rate, run.writes, len(run.took), deepest, ms(run.tail), ms(run.cpuTime)),
	}, s.restoreAndSettle(ctx, c, course)
}

// deepest returns the maximum observed depth of the queue until ctx ends.
func (c *controller) deepest(ctx context.Context) (depth float64) {
	ticker := time.NewTicker(depthInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return depth
		case <-ticker.C:
		}
		if now, err := c.queue(ctx); err == nil {
			depth = max(depth, now.depth)
		}
	}
}
