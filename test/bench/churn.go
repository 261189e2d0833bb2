package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	// depthInterval is the interval between reads of the queue depth under load.
	depthInterval = time.Second
	// restoreRate is the number of workloads a second that become ready again after a course.
	restoreRate = 200
)

// churn measures changes of readiness, and what follows from them: memory, heartbeats and
// restarts.
func (b *bench) churn(ctx context.Context, s *stage) ([]row, error) {
	if err := s.fill(ctx, b.options.size.churn); err != nil {
		return nil, err
	}
	rounds, err := b.rounds(ctx, s)
	if err != nil {
		return nil, err
	}
	rows := b.churnRows(rounds)
	if !b.options.wants(partWrites) {
		return rows, nil
	}
	more, err := b.withoutChange(ctx, s, median(rounds, func(t turns) float64 { return t.floor.start.listing.Seconds() }))
	return append(rows, more...), err
}

// rounds lets the contenders work in turn. Without changes, memory and restarts need one
// round.
func (b *bench) rounds(ctx context.Context, s *stage) ([]turns, error) {
	count := 1
	if b.options.wants(partChurn, partBurst) {
		count = b.options.size.repeats
	}
	var rounds []turns
	for number := range count {
		b.console.say("round %d of %d", number+1, count)
		one, err := b.takeTurns(ctx, s)
		if err != nil {
			return rounds, err
		}
		rounds = append(rounds, one)
	}
	return rounds, nil
}

// A subject is a program that is measured while workloads change.
type subject interface {
	usage() (usage, error)
	// settle returns when the program has no work left.
	settle(ctx context.Context) error
	saveProfile(ctx context.Context, folder, kind, name string) error
}

func (b *bench) slow() course {
	return course{steps: round(b.options.size.churn, b.options.size.flips), ready: becomes(false), rate: slowRate}
}

func (b *bench) fast(rate float64) course {
	return course{steps: shuffled(b.options.size.churn, b.options.size.burst), ready: becomes(false), rate: rate}
}

// slowCourse makes the slow changes, and then all workloads ready again.
func (b *bench) slowCourse(ctx context.Context, s *stage, of subject, name string) (watched, error) {
	run, err := b.watched(ctx, s, of, name, b.slow(), "churn-cpu")
	if err != nil {
		return watched{}, err
	}
	back := b.slow()
	back.ready, back.rate = becomes(true), restoreRate
	if _, err := s.fly(ctx, back); err != nil {
		return watched{}, err
	}
	return run, of.settle(ctx)
}

// fastCourse makes fast changes, reads the queue depth meanwhile, and makes all workloads
// ready again.
func (b *bench) fastCourse(ctx context.Context, s *stage, c *controller, name string, course course) (watched, error) {
	looking, stop := context.WithCancel(ctx)
	defer stop()
	var deepest float64
	var beside sync.WaitGroup
	beside.Go(func() { deepest = c.deepest(looking) })
	run, err := b.watched(ctx, s, c, name, course, fmt.Sprintf("burst-%.0f-cpu", course.rate))
	stop()
	beside.Wait()
	if err != nil {
		return watched{}, err
	}
	run.deepest = deepest
	if err := s.restore(ctx, course); err != nil {
		return watched{}, err
	}
	return run, c.settle(ctx)
}

// bareCourse makes each change of readiness and at once the resulting update of the slice.
// At the end every workload is ready again.
func (b *bench) bareCourse(ctx context.Context, s *stage, p *publisher, course course) (watched, error) {
	b.console.say("bare API: %d changes at %.0f a second", len(course.steps), course.rate)
	course.after = p.publish
	run, err := s.fly(ctx, course)
	if err != nil {
		return watched{}, err
	}
	return watched{courseRun: run}, s.restore(ctx, course)
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
