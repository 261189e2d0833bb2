// Command run shows the controller at work: it implements make run.
//
//	go -C test run ./run [flags] [-- flags of the controller]
//
// It builds what is missing, starts a control plane on loopback, installs the
// CustomResourceDefinition and the admission policies, starts the controller,
// applies the documented example, and prints every change of the EndpointSlices
// that the controller publishes. Ctrl-C ends all of it.
//
// With --kubeconfig it uses an existing cluster: it only starts the controller, on this
// machine, and installs nothing.
//
// With --once, which CI uses, it ends as soon as the example is published. The program
// must not check the slices that it prints: the tests do that.
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

// defaultTimeout is the time that --once gives the controller to publish.
const defaultTimeout = time.Minute

// options are the command line.
type options struct {
	kubeconfig  string
	controller  string
	once        bool
	expectReady bool
	timeout     time.Duration
	// forController are the flags for the controller.
	forController []string
}

func parse(arguments []string) (options, error) {
	var o options
	flags := pflag.NewFlagSet("run", pflag.ContinueOnError)
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "use the cluster of this file, start nothing but the controller, install nothing")
	flags.StringVar(&o.controller, "controller", "", "use this binary of the controller instead of building one")
	flags.BoolVar(&o.once, "once", false, "end as soon as the documented example is published")
	flags.BoolVar(&o.expectReady, "expect-ready", false, "with --once: wait until the published endpoint is ready, too")
	flags.DurationVar(&o.timeout, "timeout", defaultTimeout, "with --once: how long the controller may take")
	if err := flags.Parse(arguments); err != nil {
		return options{}, err
	}
	if o.expectReady && !o.once {
		return options{}, errors.New("--expect-ready needs --once")
	}
	if o.timeout <= 0 {
		return options{}, errors.New("--timeout must be more than 0")
	}
	if flags.ArgsLenAtDash() != 0 && flags.NArg() > 0 {
		return options{}, fmt.Errorf("unexpected argument %q; flags of the controller follow --", flags.Arg(0))
	}
	o.forController = flags.Args()
	return o, nil
}

func main() {
	o, err := parse(os.Args[1:])
	if errors.Is(err, pflag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "run:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err = run(ctx, o, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "run:", err)
		os.Exit(1)
	}
}
