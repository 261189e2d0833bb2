// Package netns runs the tests of a package in a separate network namespace, in which they
// may add addresses. It is for Linux and for tests only.
package netns

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
)

// Options are the requirements of the tests.
type Options struct {
	// Variable is the environment variable that passes the result of Build to the process in
	// the namespace. It must not be set otherwise.
	Variable string
	// Build builds programs into a folder, because the process in the namespace cannot
	// download modules.
	Build func(ctx context.Context, directory string) (string, error)
	// Networks are local to the namespace, each with the given address.
	Networks []string
}

// Main is for TestMain. It runs the tests in a network namespace and returns the exit code. If
// it cannot create one, it runs them here with the reason in notHere.
func Main(m *testing.M, options Options, notHere *string) int {
	if os.Getenv(options.Variable) == "" {
		return outside(m, options, notHere)
	}
	if err := setUpLoopback(options.Networks); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// outside runs this program again in a network namespace.
func outside(m *testing.M, options Options, notHere *string) int {
	if os.Geteuid() != 0 {
		*notHere = "a network namespace needs root"
		return m.Run()
	}
	directory, err := os.MkdirTemp("", "netns-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() {
		if err := os.RemoveAll(directory); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	built, err := options.Build(context.Background(), directory)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	command := exec.CommandContext(ctx, "/proc/self/exe", os.Args[1:]...)
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.Env = append(os.Environ(), options.Variable+"="+built)
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	err = command.Run()
	if exit, ended := errors.AsType[*exec.ExitError](err); ended {
		return exit.ExitCode()
	}
	if err != nil {
		*notHere = fmt.Sprintf("a network namespace cannot be made here: %v", err)
		return m.Run()
	}
	return 0
}

func setUpLoopback(networks []string) error {
	loopback, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("finding the loopback device: %w", err)
	}
	if err := netlink.LinkSetUp(loopback); err != nil {
		return fmt.Errorf("setting the loopback device up: %w", err)
	}
	for _, network := range networks {
		if err := AddAddress(network); err != nil {
			return err
		}
	}
	return nil
}

// AddAddress adds an address such as 10.77.0.1/32 to the loopback device. Call it only in the
// namespace.
func AddAddress(network string) error { return change(network, netlink.AddrAdd) }

// RemoveAddress undoes AddAddress.
func RemoveAddress(network string) error { return change(network, netlink.AddrDel) }

func change(network string, how func(netlink.Link, *netlink.Addr) error) error {
	loopback, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("finding the loopback device: %w", err)
	}
	address, err := netlink.ParseAddr(network)
	if err != nil {
		return fmt.Errorf("parsing address %s: %w", network, err)
	}
	if err := how(loopback, address); err != nil {
		return fmt.Errorf("changing address %s of the loopback device: %w", network, err)
	}
	return nil
}
