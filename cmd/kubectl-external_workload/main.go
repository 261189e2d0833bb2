// Command kubectl-external_workload is a kubectl plugin for operators of machines
// outside the cluster: it explains why a machine gets traffic or not, drains machines,
// and invites and registers them. kubectl runs it as `kubectl external-workload`; a
// machine runs it as external-workload.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

// The exit codes.
const (
	exitOK = iota
	exitError
	exitNotServed
)

// errNotServed is returned if the workload is not served. The reasons were printed.
var errNotServed = errors.New("not served")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, nameOf(os.Args[0]), os.Args[1:], streams{in: os.Stdin, out: os.Stdout, err: os.Stderr})
	stop()
	os.Exit(code)
}

// run runs the program under a name and returns its exit code.
func run(ctx context.Context, name string, args []string, io streams) int {
	command := newCommand(name, io)
	command.SetArgs(args)
	err := command.ExecuteContext(ctx)
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errNotServed):
		return exitNotServed
	default:
		fmt.Fprintf(io.err, "error: %s\n", oneLine(err.Error()))
		return exitError
	}
}

// nameOf returns the name of the program in its help: that of the plugin, or that of
// the executable on a machine.
func nameOf(path string) string {
	name := strings.TrimSuffix(filepath.Base(path), ".exe")
	if strings.HasPrefix(name, "kubectl-") {
		return "kubectl external-workload"
	}
	return "external-workload"
}

// oneLine joins the lines of a text, so that each error is one line.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
