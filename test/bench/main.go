// Command bench measures how fast the controller is, beside the bare API server
// in the same run. It implements make bench.
//
//	go -C test run ./bench [flags]
//
// It starts a control plane on loopback, fills it, runs the controller as a
// process of its own, and prints one table: what was measured, what the bare API
// takes for the same, their ratio, the goal, and whether it is met. The same
// goes into a JSON file and a chart. Ctrl-C ends all of it.
//
// Writes are counted by the API server; CPU time and memory come from the
// operating system; latencies are seen by this program, which both makes the
// change and watches the EndpointSlices. The program must not know how the
// controller works: it measures it from outside, as clients see it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/pflag"
)

func main() {
	o, err := parse(os.Args[1:])
	if errors.Is(err, pflag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err = run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}
