package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// watched is the cost of a course's changes for the program that published them.
type watched struct {
	courseRun
	cpuTime time.Duration // of one change
	writes  int
	// deepest is the maximum depth of the queue that was seen, if it was read.
	deepest float64
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
