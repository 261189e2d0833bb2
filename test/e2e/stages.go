package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// stageTimeout is the maximum time of a stage. The longest takes about a minute on two busy
// cores.
const stageTimeout = 2 * time.Minute

// A stage is one test.
type stage struct {
	name string
	run  func(ctx context.Context, c *cluster) error
	// needed is true if all later stages depend on this one.
	needed bool
}

// run runs the stages, prints the result of each, and returns the number that did not pass,
// including those that were not run because of a failure.
func run(ctx context.Context, o options, out io.Writer) (failed int) {
	c := &cluster{options: o, out: out}
	defer func() {
		if err := c.stop(); err != nil {
			fmt.Fprintln(out, "e2e: ending the cluster:", err)
		}
	}()
	passed, broken, all := 0, "", startMeter()
	for _, s := range stages {
		if broken != "" {
			fmt.Fprintf(out, "FAIL  %-56s  not tried, since %s failed\n", s.name, broken)
			failed++
			continue
		}
		used := startMeter()
		err := s.within(ctx, c)
		if err == nil {
			passed++
			fmt.Fprintf(out, "ok    %-56s %s\n", s.name, used())
		} else {
			failed++
			fmt.Fprintf(out, "FAIL  %-56s %s\n      %v\n", s.name, used(), err)
		}
		for _, line := range c.measured {
			fmt.Fprintln(out, "      "+line)
		}
		c.measured = nil
		if err != nil && s.needed {
			broken = s.name
		}
	}
	if o.hold && ctx.Err() == nil {
		fmt.Fprintln(out, "the cluster stays until Ctrl-C; its kubeconfig is", c.plane.Kubeconfig())
		<-ctx.Done()
	}
	fmt.Fprintf(out, "      all of this: %s\n%d passed, %d failed\n", all(), passed, failed)
	return failed
}

func (s stage) within(ctx context.Context, c *cluster) error {
	ctx, cancel := context.WithTimeout(ctx, stageTimeout)
	defer cancel()
	return s.run(ctx, c)
}

// until calls a function repeatedly until it returns no error, or returns the last error
// when ctx ends.
func until(ctx context.Context, ask func(context.Context) error) error {
	const interval = 100 * time.Millisecond
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		}
	}
}
