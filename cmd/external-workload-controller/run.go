package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"

	"github.com/external-workload/controller/pkg/leadership"
	"github.com/external-workload/controller/pkg/metrics"
	"github.com/external-workload/controller/pkg/selftest"
	"github.com/external-workload/controller/pkg/server"
)

// The exit codes of the program.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// selfTest is the subcommand that checks an installation from inside the cluster; helm
// test uses it.
const selfTest = "selftest"

// run runs the program and returns its exit code. It returns when ctx is cancelled and
// everything that it started has ended, or after a fatal error.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) > 0 && args[0] == selfTest {
		return finish(selftest.Command(ctx, args[1:], stdout), stderr)
	}
	if len(args) > 0 && args[0] == adoption {
		return finish(adoptCommand(ctx, args[1:], stdout, stderr), stderr)
	}
	var o options
	flags := newFlags(&o)
	flags.Usage = func() { printUsage(stdout, flags) }
	switch err := flags.Parse(args); {
	case errors.Is(err, pflag.ErrHelp):
		return exitDone
	case err != nil:
		return printError(stderr, err, exitUsage)
	case flags.NArg() > 0:
		return printError(stderr, fmt.Errorf("unexpected argument %q; see --help", flags.Arg(0)), exitUsage)
	case o.version:
		_, _ = fmt.Fprintln(stdout, versionLine())
		return exitDone
	}
	if err := o.validate(); err != nil {
		return printError(stderr, err, exitUsage)
	}
	setUpLogging(stderr, o.logFormat, o.verbosity)
	defer klog.Flush()
	if err := serve(klog.NewContext(ctx, klog.Background()), &o); err != nil {
		return printError(stderr, err, exitFailed)
	}
	return exitDone
}

// printUsage prints the help of the program.
func printUsage(out io.Writer, flags *pflag.FlagSet) {
	_, _ = fmt.Fprintf(out, `Publish Linkerd ExternalWorkloads, machines outside the cluster, as EndpointSlices of the Services that select them.

Usage:
  %[1]s [flags]
  %[1]s %[2]s [flags]      preview a takeover from Linkerd's controller, or hand back
  %[1]s %[3]s [flags]   check an installation, as helm test does

Flags:
%[4]s`, defaultName, adoption, selfTest, flags.FlagUsages())
}

// finish prints the error of a subcommand and returns the exit code.
func finish(err error, stderr io.Writer) int {
	switch {
	case err == nil, errors.Is(err, pflag.ErrHelp):
		return exitDone
	case errors.Is(err, errUsage), errors.Is(err, selftest.ErrUsage):
		return printError(stderr, err, exitUsage)
	default:
		return printError(stderr, err, exitFailed)
	}
}

// printError prints an error, one line for each of its parts.
func printError(stderr io.Writer, err error, code int) int {
	_, _ = fmt.Fprintf(stderr, "%s: %v\n", defaultName, err)
	return code
}

// serve creates everything and runs it until ctx is cancelled.
func serve(ctx context.Context, o *options) error {
	logger := klog.FromContext(ctx)
	registry := prometheus.NewRegistry()
	observer := metrics.New(registry)
	observer.RegisterClient()
	observer.SetInfo(buildVersion())

	gate := &leadership.WriteGate{}
	if !o.election.enabled {
		gate = leadership.OpenWriteGate()
	}
	clients, err := newClients(o, gate)
	if err != nil {
		return err
	}
	controllers, err := newControllers(o, clients, observer)
	if err != nil {
		return err
	}
	http, err := newServer(o, clients, registry, controllers)
	if err != nil {
		return err
	}
	logger.Info("Starting", "version", versionLine(), "metrics", http.MetricsAddr(), "health", http.HealthAddr())
	limitMemory(logger)

	group, groupCtx := errgroup.WithContext(ctx)
	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopServing()
	group.Go(func() error { return http.Run(serving) })
	group.Go(func() error {
		defer stopServing()
		return work(groupCtx, o, clients, controllers, gate, observer)
	})
	err = group.Wait()
	logger.Info("Stopped")
	return err
}

// work waits for the preflight, starts the informers, and publishes while it leads.
func work(ctx context.Context, o *options, clients *clients, controllers *controllers, gate *leadership.WriteGate, observer *metrics.Metrics) error {
	if err := controllers.preflight.wait(ctx); err != nil {
		return nil
	}
	stopWatching := controllers.watch(ctx)
	defer stopWatching()
	identity, err := identityOf(o)
	if err != nil {
		return err
	}
	publish := takingOver(o, clients, identity, controllers.run)
	if !o.election.enabled {
		observer.SetLeading(true)
		return publish(ctx)
	}
	lock, err := newLock(o, clients, identity)
	if err != nil {
		return err
	}
	return leadership.Run(ctx, leadership.Config{
		Lock:          lock,
		LeaseDuration: o.election.duration,
		RenewDeadline: o.election.deadline,
		RetryPeriod:   o.election.period,
		WriteGate:     gate,
		Ended:         endedWithPod(o),
		OnChange:      observer.SetLeading,
	}, publish)
}

// identityOf returns this instance's identity in Leases.
func identityOf(o *options) (string, error) {
	if o.election.identity != "" {
		return o.election.identity, nil
	}
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("finding this host's name for the Lease: %w; give --identity", err)
	}
	return host + "_" + podPart() + string(uuid.NewUUID()), nil
}

// podPart returns the name of the Pod in an identity; empty outside a Pod.
func podPart() string {
	if uid := os.Getenv(podUIDVariable); uid != "" {
		return uid + "_"
	}
	return ""
}

// endedWithPod reports whether an identity is that of an earlier process of this Pod.
// Kubelet restarts a container only after its last process has ended.
func endedWithPod(o *options) func(identity string) bool {
	pod := podPart()
	if pod == "" || o.election.identity != "" {
		return nil
	}
	return func(identity string) bool { return strings.Contains(identity, "_"+pod) }
}

// newLock returns the lock of the Lease.
func newLock(o *options, clients *clients, identity string) (resourcelock.Interface, error) {
	namespace := leaseNamespace(o, clients)
	lock, err := resourcelock.New(resourcelock.LeasesResourceLock, namespace, o.election.name,
		clients.ungated.CoreV1(), clients.ungated.CoordinationV1(), resourcelock.ResourceLockConfig{Identity: identity})
	if err != nil {
		return nil, fmt.Errorf("making the lock of Lease %s/%s: %w", namespace, o.election.name, err)
	}
	return lock, nil
}

// newServer binds the addresses for metrics and health.
func newServer(o *options, clients *clients, registry *prometheus.Registry, controllers *controllers) (*server.Server, error) {
	return server.New(server.Config{
		HealthAddress:   o.serving.health,
		MetricsAddress:  o.serving.metrics,
		Live:            controllers.live(),
		Ready:           controllers.ready(),
		Gatherer:        registry,
		Profiling:       o.serving.profiling,
		Plain:           !o.serving.secure,
		CertificateFile: o.serving.certificate,
		KeyFile:         o.serving.key,
		TokenReviews:    clients.ungated.AuthenticationV1().TokenReviews(),
		AccessReviews:   clients.ungated.AuthorizationV1().SubjectAccessReviews(),
	})
}
