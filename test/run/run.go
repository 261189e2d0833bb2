package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// run shows the controller until ctx ends, which is no error, or until the condition of
// --once is met. Before it returns, it ends everything that it started, last one first.
func run(ctx context.Context, o options, out io.Writer) error {
	var started endings
	err := show(ctx, o, out, &started)
	if !o.once && ctx.Err() != nil {
		fmt.Fprintln(out, "ending")
		err = nil // any error is a result of the interruption
	}
	return errors.Join(err, started.end())
}

// show starts everything and prints the changes.
func show(ctx context.Context, o options, out io.Writer, started *endings) error {
	place, err := newCluster(ctx, o, out)
	if err != nil {
		return err
	}
	started.add(place.end)
	// The watch starts first, so that it misses no change.
	changes, stopWatch, err := watchSlices(ctx, place.config)
	if err != nil {
		return err
	}
	started.add(stopWatch)
	running, err := startController(ctx, o, place, out)
	if err != nil {
		return err
	}
	started.add(running.process.Stop)
	if place.own {
		if err := applyExample(ctx, place, out); err != nil {
			return err
		}
	}
	fmt.Fprint(out, howTo(place, running))
	return follow(ctx, o, changes, running, out)
}

// endings are the functions that end what was started.
type endings []func() error

func (e *endings) add(end func() error) { *e = append(*e, end) }

func (e *endings) end() error {
	var failures []error
	for _, end := range slices.Backward(*e) {
		failures = append(failures, end())
	}
	return errors.Join(failures...)
}

// follow prints the changes until ctx ends, the controller ends, or the condition of --once
// is met.
func follow(ctx context.Context, o options, changes <-chan change, running *controller, out io.Writer) error {
	var timeout <-chan time.Time
	if o.once {
		timer := time.NewTimer(o.timeout)
		defer timer.Stop()
		timeout = timer.C
	}
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-running.process.Exited():
			return fmt.Errorf("the controller ended; its log ends with:\n%s", running.tail())
		case <-timeout:
			return fmt.Errorf("the documented example was not published within %s; the controller's log ends with:\n%s", o.timeout, running.tail())
		case seen := <-changes:
			fmt.Fprintln(out, seen)
			if o.once && seen.kind != deleted && showsExample(seen.slice, o.expectReady) {
				fmt.Fprintln(out, "the documented example is published")
				return nil
			}
		}
	}
}
