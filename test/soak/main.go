// Command soak runs three instances of the controller with leader election and a real API
// server. It changes Services, workloads and slices at random, and breaks connections,
// processes and the control plane at random. At quiet points it compares the published
// slices with those that the oracle computes.
//
// It first prints its seed. The same seed gives the same operations and faults, but not the
// same timing. The exit code is 1 if it finds a problem.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/pflag"
)

// options are the values of the flags.
type options struct {
	duration  time.Duration
	seed      uint64
	directory string
}

func main() {
	var o options
	flags := pflag.NewFlagSet("soak", pflag.ContinueOnError)
	flags.DurationVar(&o.duration, "duration", 3*time.Minute, "how long operations and faults go on")
	flags.Uint64Var(&o.seed, "seed", 0, "what the random choices begin with; 0 takes the time")
	flags.StringVar(&o.directory, "directory", "", "folder for the logs, kept; if empty, one that is removed when nothing was wrong")
	if err := flags.Parse(os.Args[1:]); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			return
		}
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(2)
	}
	if o.seed == 0 {
		o.seed = uint64(time.Now().UnixNano())
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		cancel()
		os.Exit(1)
	}
}

// run prepares the place, runs the soak, and prints the result.
func run(ctx context.Context, o options) (err error) {
	fmt.Printf("seed %d\n", o.seed)
	keep := o.directory != ""
	if !keep {
		if o.directory, err = os.MkdirTemp("", "soak-"); err != nil {
			return fmt.Errorf("making a folder for the logs: %w", err)
		}
		defer func() {
			if err == nil {
				err = os.RemoveAll(o.directory)
			} else {
				fmt.Fprintln(os.Stderr, "soak: logs are in", o.directory)
			}
		}()
	}
	p, err := newPlace(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	s := newSoak(p, o.seed)
	err = s.run(ctx, o.duration)
	s.tally.print(os.Stdout)
	return err
}
