package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/external-workload/controller/test/internal/controlplane"
)

const workloadAPI = "workload.linkerd.io/v1beta1"

// A cluster is the cluster of the controller.
type cluster struct {
	// own is true if this program started the control plane.
	own        bool
	config     *rest.Config
	kubeconfig string
	kubectl    string
	// directory has logs and binaries; end removes it.
	directory string
	end       func() error
}

func newCluster(ctx context.Context, o options, out io.Writer) (*cluster, error) {
	if o.kubeconfig != "" {
		return readersCluster(o.kubeconfig, out)
	}
	return ownCluster(ctx, out)
}

// ownCluster starts a control plane and installs what the controller needs.
func ownCluster(ctx context.Context, out io.Writer) (*cluster, error) {
	fmt.Fprintln(out, "starting a control plane on loopback (the first time it is built, which takes minutes)")
	started, err := startControlPlane(ctx)
	if err != nil {
		return nil, err
	}
	place := &cluster{
		own:        true,
		config:     started.AdminConfig(),
		kubeconfig: started.Kubeconfig(),
		kubectl:    started.Kubectl(),
		directory:  started.Directory(),
		end:        started.Stop,
	}
	if err := install(ctx, place, out); err != nil {
		return nil, errors.Join(err, place.end())
	}
	return place, nil
}

// startControlPlane can be interrupted while the control plane starts. Afterwards the
// control plane runs until it is stopped, because the controller must end first.
func startControlPlane(ctx context.Context) (*controlplane.ControlPlane, error) {
	lasting, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	release := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
	defer release()
	plane, err := controlplane.Start(lasting, controlplane.Options{ControllerManager: true})
	if errors.Is(err, controlplane.ErrMissing) { // this program works without it
		return controlplane.Start(lasting, controlplane.Options{})
	}
	return plane, err
}

// readersCluster checks that the cluster is reachable and has ExternalWorkloads. It changes
// nothing there.
func readersCluster(kubeconfig string, out io.Writer) (*cluster, error) {
	path, err := filepath.Abs(kubeconfig)
	if err != nil {
		return nil, err
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		return nil, fmt.Errorf("reading --kubeconfig: %w", err)
	}
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("reading --kubeconfig: %w", err)
	}
	if _, err := client.ServerResourcesForGroupVersion(workloadAPI); err != nil {
		return nil, fmt.Errorf("asking %s for %s, which charts/external-workload-controller/files/crds installs: %w", config.Host, workloadAPI, err)
	}
	directory, err := os.MkdirTemp("", "external-workload-run-")
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(out, "using %s; nothing is installed there, and the example is not applied\n", config.Host)
	return &cluster{
		config: config, kubeconfig: path, kubectl: "kubectl", directory: directory,
		end: func() error { return os.RemoveAll(directory) },
	}, nil
}
