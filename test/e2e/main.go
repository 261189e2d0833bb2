// Command e2e tests the chart in a whole cluster on one machine. It implements make
// e2e.
//
// hack/e2e/run.sh builds the programs and starts this one in separate namespaces. This
// program runs in the cluster's network, and the VMs are in another network behind a
// virtual link. So this program reaches Services like a client in the cluster.
//
// The stages run in order and share one cluster. The program checks only what a user
// sees: which machine answers, and when. Processes of containerd end with its
// namespaces.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/pflag"

	"github.com/external-workload/controller/test/internal/controlplane"
)

// options are the command line.
type options struct {
	// work has bin/, image/ and logs/. All output goes there.
	work string
	// cgroup is the parent cgroup of kubelet's Pods, such as /name.
	cgroup string
	// nodeIP is the address of the node and of the API server.
	nodeIP string
	// nodeIPv6 is the node's IPv6 address.
	nodeIPv6 string
	// vmNamespace is the path of the VMs' network namespace.
	vmNamespace string
	// repository is the root of this repository.
	repository string
	// picture is the path for the picture of the dashboard; empty for none.
	picture string
	// hold keeps the cluster running after the last stage until a signal.
	hold bool
}

// bin returns the path of one of the programs that run.sh has built.
func (o options) bin(name string) string { return filepath.Join(o.work, "bin", name) }

// log returns the file for the output of one program.
func (o options) log(name string) string { return filepath.Join(o.work, "logs", name+".log") }

func parse(arguments []string) (options, error) {
	var o options
	flags := pflag.NewFlagSet("e2e", pflag.ContinueOnError)
	flags.StringVar(&o.work, "work", "", "folder with the programs and the image")
	flags.StringVar(&o.cgroup, "cgroup", "", "cgroup for the Pods")
	flags.StringVar(&o.nodeIP, "node-ip", "", "address of the node")
	flags.StringVar(&o.nodeIPv6, "node-ipv6", "", "IPv6 address of the node")
	flags.StringVar(&o.vmNamespace, "vm-namespace", "", "network namespace of the VMs")
	flags.StringVar(&o.picture, "picture", "", "file for a picture of the dashboard, from the root of the repository (default one in the work folder)")
	flags.BoolVar(&o.hold, "hold", false, "keep the cluster after the last stage, until Ctrl-C")
	if err := flags.Parse(arguments); err != nil {
		return options{}, err
	}
	if o.work == "" || o.cgroup == "" || o.nodeIP == "" || o.nodeIPv6 == "" || o.vmNamespace == "" {
		return options{}, errors.New("use make e2e, which sets all flags")
	}
	var err error
	if o.repository, err = controlplane.RepositoryRoot(); err != nil {
		return options{}, err
	}
	switch {
	case o.picture == "":
		o.picture = filepath.Join(o.work, "logs", "dashboard.svg")
	case !filepath.IsAbs(o.picture):
		o.picture = filepath.Join(o.repository, o.picture)
	}
	return o, nil
}

func main() {
	o, err := parse(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	failed := run(ctx, o, os.Stdout)
	stop()
	if failed > 0 {
		os.Exit(1)
	}
}
