package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/external-workload/controller/test/internal/controlplane"
)

const controllerName = "external-workload-controller"

// bench is a run of the benchmark.
type bench struct {
	options   *options
	console   *console
	directory string
	// binary is the controller, floor the program with which it is compared.
	binary, floor string
	begin         time.Time
	rows          []row
}

// run measures the parts that the options select and reports the results. If a part fails,
// it still reports the results of the earlier parts.
func run(ctx context.Context, o options) (err error) {
	b := &bench{options: &o, console: newConsole(os.Stderr), binary: o.controller, begin: time.Now()}
	if b.directory, err = os.MkdirTemp("", "bench-"); err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.directory)) }()
	if b.binary == "" {
		b.console.say("building the controller")
		if b.binary, err = build(ctx, b.directory); err != nil {
			return err
		}
	}
	if b.floor, err = buildFloor(ctx, b.directory); err != nil {
		return err
	}
	err = b.measure(ctx)
	if len(b.rows) == 0 {
		return err
	}
	return errors.Join(err, b.report(ctx))
}

// measure runs one part after another.
func (b *bench) measure(ctx context.Context) error {
	if b.options.wants(partCold) {
		for _, shape := range b.options.size.cold {
			err := b.on(ctx, "cold start of "+shape.String(), func(ctx context.Context, s *stage) ([]row, error) {
				return coldStart(ctx, s, shape, b.options.size.repeats)
			})
			if err != nil {
				return err
			}
		}
	}
	if b.options.wants(partChurn, partBurst, partMemory, partWrites) {
		if err := b.on(ctx, "changes in "+b.options.size.churn.String(), b.churn); err != nil {
			return err
		}
	}
	if b.options.wants(partGrowth) {
		return b.on(ctx, "growth of one namespace", b.growth)
	}
	return nil
}

// on makes a stage, measures on it, and removes it.
func (b *bench) on(ctx context.Context, what string, measure func(context.Context, *stage) ([]row, error)) (err error) {
	b.console.say("%s: starting a control plane", what)
	s, err := newStage(ctx, b)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.plane.Stop()) }()
	rows, err := measure(ctx, s)
	b.rows = append(b.rows, rows...)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	for _, r := range rows {
		b.console.say("%s: %s", r.Name, r.summary())
	}
	return nil
}

// build builds the controller with the flags of a release.
func build(ctx context.Context, directory string) (string, error) {
	root, err := controlplane.RepositoryRoot()
	if err != nil {
		return "", err
	}
	command := exec.CommandContext(ctx, "make", "-C", root, "build", "BIN="+directory)
	if output, err := command.CombinedOutput(); err != nil {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		return "", fmt.Errorf("building the controller: %w\n%s", err, output)
	}
	return filepath.Join(directory, controllerName), nil
}
