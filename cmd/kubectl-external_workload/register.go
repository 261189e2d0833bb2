package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"github.com/external-workload/controller/pkg/invitation"
)

// Defaults of register.
const (
	defaultRegisterTimeout  = 2 * time.Minute
	defaultRegisterInterval = 30 * time.Second
)

// registerFlags are the flags of register.
type registerFlags struct {
	ips                              []string
	timeout, interval, tokenLifetime time.Duration
	watch                            bool
	// readiness is the controller's --readiness.
	readiness bool
}

func (p *program) registerCommand() *cobra.Command {
	var flags registerFlags
	command := &cobra.Command{
		Use:   "register",
		Short: "Register this machine with the kubeconfig of its invitation",
		Long: "Set the addresses of this machine in its ExternalWorkload, end a drain that the machine itself began, renew its token, and wait until it is ready. " +
			"You can run register again at any time.\n\n" +
			"For each family, register uses the source address of the route to the API server, if the invitation permits it, or else the only permitted address of the interfaces. --ip sets other addresses. " +
			"It replaces the token of the invitation at once with a token of the lifetime that invite --token-lifetime stored in the kubeconfig, or of its own --token-lifetime, if that is longer, and renews it when half of its lifetime is over; the API server may grant a shorter lifetime. It stores the token in the kubeconfig, with mode 0600.\n\n" +
			"With --watch it keeps running, follows address changes and renews the token. If the invitation expires, it reports that once, and continues when you replace the kubeconfig.",
		Example: p.examples(
			"# Register this machine", "register --kubeconfig /etc/external-workload/kubeconfig",
			"# Keep running and follow address changes, for example in a systemd unit", "register --watch --kubeconfig /etc/external-workload/kubeconfig",
			"# Set the addresses explicitly", "register --ip 10.20.0.7 --ip 2001:db8::7"),
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return p.register(c.Context(), flags) },
	}
	command.Flags().StringSliceVar(&flags.ips, "ip", nil, "address of this machine, at most one IPv4 and one IPv6 address; if empty, detected")
	command.Flags().DurationVar(&flags.timeout, "timeout", defaultRegisterTimeout, "maximum time to wait until the machine is ready")
	command.Flags().BoolVarP(&flags.watch, "watch", "w", false, "keep running, follow address changes and renew the token")
	command.Flags().DurationVar(&flags.interval, "interval", defaultRegisterInterval, "with --watch, interval between checks of the addresses and the token")
	command.Flags().BoolVar(&flags.readiness, "readiness", true, "the controller's --readiness; with false, the machine is ready without passing its probe")
	command.Flags().DurationVar(&flags.tokenLifetime, "token-lifetime", 0, "lifetime of requested tokens; if 0, that in the kubeconfig (invite --token-lifetime), or 720h if it has none")
	return command
}

func (f *registerFlags) validate() error {
	if f.timeout <= 0 || f.interval <= 0 {
		return errors.New("--timeout and --interval must be positive")
	}
	if f.tokenLifetime != 0 && f.tokenLifetime < minimumLifetime {
		return fmt.Errorf("--token-lifetime must be 0 or at least %s", minimumLifetime)
	}
	if _, err := invitation.Given(f.ips, nil); err != nil {
		return fmt.Errorf("--ip: %w", err)
	}
	return nil
}

func (p *program) register(ctx context.Context, flags registerFlags) error {
	if err := flags.validate(); err != nil {
		return err
	}
	r := &registrar{program: p, flags: flags, find: findAddresses, now: time.Now}
	if flags.watch {
		return r.watch(ctx)
	}
	err := r.round(ctx)
	if r.renewal.failure != nil {
		fmt.Fprintln(p.err, "warning: "+oneLine(r.renewal.failure.Error()))
	}
	return err
}

// registrar registers the machine again and again.
type registrar struct {
	*program
	flags registerFlags
	// find gives the addresses of the route to a host, and of all interfaces.
	find func(ctx context.Context, host string) (route, interfaces []netip.Addr, err error)
	now  func() time.Time

	// started is true after the first round that has reached the object.
	started bool
	renewal renewal
	// reported are the texts of the last round's errors.
	reported map[string]bool
}

// watch runs until ctx ends. It reads the kubeconfig in each round, so that a new
// one is used.
func (r *registrar) watch(ctx context.Context) error {
	for {
		if err := r.round(ctx); ctx.Err() == nil {
			r.report(err, r.renewal.failure)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(r.flags.interval):
		}
	}
}

// report says each error once, until a round passes without it.
func (r *registrar) report(errs ...error) {
	now := map[string]bool{}
	for _, err := range errs {
		if err == nil || errors.Is(err, errNotServed) {
			continue
		}
		text := oneLine(err.Error())
		if now[text] = true; !r.reported[text] {
			fmt.Fprintf(r.err, "error: %s\n", text)
		}
	}
	r.reported = now
}
