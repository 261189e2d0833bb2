package selftest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/external-workload/controller/pkg/generated/clientset/versioned"
)

// ErrUsage is returned for invalid arguments.
var ErrUsage = errors.New("wrong usage")

// Command is the subcommand selftest: it reads the arguments after its name,
// connects to the cluster that it runs in or that --kubeconfig names, and runs
// the test.
func Command(ctx context.Context, args []string, out io.Writer) error {
	options, kubeconfig, err := parse(args, out)
	if err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return fmt.Errorf("reading how to reach the cluster: %w", err)
	}
	core, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("building a client: %w", err)
	}
	workloads, err := versioned.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("building a client: %w", err)
	}
	return Run(ctx, core, workloads, options, out)
}

func parse(args []string, out io.Writer) (options Options, kubeconfig string, err error) {
	flags := pflag.NewFlagSet("selftest", pflag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&kubeconfig, "kubeconfig", "", "path to a kubeconfig file; if empty, the Pod's service account is used")
	flags.StringVar(&options.Namespace, "namespace", "default", "namespace of the test; the controller must serve it")
	flags.StringVar(&options.Address, "address", "192.0.2.1", "address of the workload; nothing is sent to it")
	flags.DurationVar(&options.Timeout, "timeout", time.Minute, "maximum time to wait for the endpoint")
	flags.BoolVar(&options.Ready, "ready", true, "wait until the endpoint is ready, by declared readiness")
	if err := flags.Parse(args); err != nil {
		return Options{}, "", fmt.Errorf("%w: %w", ErrUsage, err)
	}
	if flags.NArg() > 0 {
		return Options{}, "", fmt.Errorf("%w: unexpected argument %q", ErrUsage, flags.Arg(0))
	}
	if err := options.Validate(); err != nil {
		return Options{}, "", fmt.Errorf("%w: %w", ErrUsage, err)
	}
	return options, kubeconfig, nil
}
