package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// depthInterval is how often the queue is looked at under load.
const depthInterval = time.Second

// churn measures the bare API first, on the slices of a first cold start, and
// then the controller.
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
	c, _, err := s.startAndPublish(ctx, shape)
	if err != nil {
		return nil, err
	}
	rows, err := b.courses(ctx, s, c, bare)
	if err := errors.Join(err, c.process.Stop()); err != nil {
		return rows, err
	}
	if b.options.wants(partWrites) {
		restart, err := s.restart(ctx)
		return append(rows, restart), err
	}
	return rows, nil
}

// bareRuns are what the bare API does.
type bareRuns struct {
	slow courseRun
	fast map[float64]courseRun // by their rates
}

// bareCourses makes each change of readiness, and at once the update of the
// slice that follows from it. At the end every workload is ready again.
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

// restore makes the workloads of a course ready, as fast as it goes.
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
func (b *bench) courses(ctx context.Context, s *stage, c *controller, bare bareRuns) ([]row, error) {
	var rows []row
	for _, measure := range []struct {
		part string
		do   func() ([]row, error)
	}{
		{partChurn, func() ([]row, error) { return b.slowCourse(ctx, s, c, bare.slow) }},
		{partBurst, func() ([]row, error) { return b.fastCourses(ctx, s, c, bare.fast) }},
		{partMemory, func() ([]row, error) { return b.memory(ctx, c) }},
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

// watched makes the changes of a course under the controller and gives what
// they cost it.
type watched struct {
	courseRun
	processor time.Duration // of one change
	writes    int
}

// A profile is taken meanwhile, if one is wanted.
func (b *bench) watched(ctx context.Context, s *stage, c *controller, course course, profile string) (watched, error) {
	b.console.say("controller: %d changes at %.0f a second", len(course.steps), course.rate)
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
		processor: (after.processor - before.processor) / time.Duration(len(course.steps)),
	}, err
}

func (b *bench) slowCourse(ctx context.Context, s *stage, c *controller, bare courseRun) ([]row, error) {
	run, err := b.watched(ctx, s, c, b.slow(), "churn-cpu")
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("change of readiness, %d a second", slowRate)
	return []row{
		{Part: partChurn, Name: name + ", p50", Unit: milliseconds, Measured: ms(percentile(run.took, 50)), Bare: ms(percentile(bare.took, 50)), Goal: ratioAtMost(1.5)},
		{Part: partChurn, Name: name + ", p99", Unit: milliseconds, Measured: ms(percentile(run.took, 99)), Bare: ms(percentile(bare.took, 99)), Goal: ratioAtMost(2)},
		{Part: partChurn, Name: "processor time of a change", Unit: milliseconds, Measured: ms(run.processor), Goal: atMost(1)},
		{Part: partWrites, Name: fmt.Sprintf("writes of %d changes", len(run.took)), Unit: writes, Measured: float64(run.writes), Bare: float64(len(run.took)), Goal: equal(),
			Note: "each change is in a slice of its own, or long after the one before"},
	}, s.restoreAndSettle(ctx, c, b.slow())
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

// fastCourse looks at the queue meanwhile.
func (b *bench) fastCourse(ctx context.Context, s *stage, c *controller, course course, bare courseRun) (row, error) {
	looking, stop := context.WithCancel(ctx)
	defer stop()
	var deepest float64
	var beside sync.WaitGroup
	beside.Go(func() { deepest = c.deepest(looking) })
	run, err := b.watched(ctx, s, c, course, fmt.Sprintf("burst-%.0f-cpu", course.rate))
	stop()
	beside.Wait()
	if err != nil {
		return row{}, err
	}
	return row{
		Part: partBurst, Name: fmt.Sprintf("change of readiness, %.0f a second, p99", course.rate), Unit: milliseconds,
		Measured: ms(percentile(run.took, 99)), Bare: ms(percentile(bare.took, 99)), Goal: atMost(250),
		Note: fmt.Sprintf("p50 %.1f ms, bare %.1f ms; %.0f a second were acknowledged, bare %.0f; %d writes for %d changes; up to %.0f Services queued; all published %.0f ms after the last; processor time of a change %.2f ms",
			ms(percentile(run.took, 50)), ms(percentile(bare.took, 50)), run.rate, bare.rate, run.writes, len(run.took), deepest, ms(run.tail), ms(run.processor)),
	}, s.restoreAndSettle(ctx, c, course)
}

// deepest is the greatest depth that the queue was seen to have until ctx ended.
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
