package hostile

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/external-workload/controller/test/faults"
)

const (
	// programVariable hands the path of the built controller to the process in
	// the network namespace, which could not download modules.
	programVariable = "HOSTILE_CONTROLLER"

	// neighbourNetwork, tenantNetwork and serviceNetwork are local to the network
	// namespace.
	neighbourNetwork = "10.77.0.1/16"
	tenantNetwork    = "10.66.0.1/16"
	serviceNetwork   = "10.96.0.1/16"
)

// notHere says why the tests cannot run; empty if they can.
var notHere string

func TestMain(m *testing.M) {
	flag.Parse()
	if os.Getenv(programVariable) == "" {
		os.Exit(inNetworkNamespace(m))
	}
	if err := setUpLoopback(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// inNetworkNamespace runs this program again in a network namespace of its own.
func inNetworkNamespace(m *testing.M) int {
	if os.Geteuid() != 0 {
		notHere = "a network namespace needs root"
		return m.Run()
	}
	directory, err := os.MkdirTemp("", "hostile-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() {
		if err := os.RemoveAll(directory); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	binary, err := faults.Build(context.Background(), directory)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	command := exec.CommandContext(ctx, "/proc/self/exe", os.Args[1:]...)
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.Env = append(os.Environ(), programVariable+"="+binary)
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	err = command.Run()
	if exit, ended := errors.AsType[*exec.ExitError](err); ended {
		return exit.ExitCode()
	}
	if err != nil {
		notHere = fmt.Sprintf("a network namespace cannot be made here: %v", err)
		return m.Run()
	}
	return 0
}

// setUpLoopback makes all addresses of the networks local ones.
func setUpLoopback() error {
	loopback, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("finding the loopback device: %w", err)
	}
	if err := netlink.LinkSetUp(loopback); err != nil {
		return fmt.Errorf("setting the loopback device up: %w", err)
	}
	for _, network := range []string{neighbourNetwork, tenantNetwork, serviceNetwork} {
		address, err := netlink.ParseAddr(network)
		if err != nil {
			return fmt.Errorf("parsing network %s: %w", network, err)
		}
		if err := netlink.AddrAdd(loopback, address); err != nil {
			return fmt.Errorf("adding network %s to the loopback device: %w", network, err)
		}
	}
	return nil
}
