// Command bench measures how fast the controller is, beside the bare API server
// in the same run. It implements make bench.
//
//	go -C test run ./bench [flags]
//
// It starts a control plane on loopback, fills it, runs the controller as a separate
// process, and prints a table: the measured values, those of the bare API for the same
// work, their ratio, the goal, and whether it is met. It writes the same to a JSON file
// and a chart. Ctrl-C ends everything.
//
// The API server counts writes, the operating system CPU time and memory. This program
// measures latencies: it makes the changes and watches the EndpointSlices. It must not
// depend on how the controller works, and measures it as a client.
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
