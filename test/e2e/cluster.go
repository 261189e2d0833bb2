package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/external-workload/controller/pkg/generated/clientset/versioned"
	"github.com/external-workload/controller/test/internal/controlplane"
	"github.com/external-workload/controller/test/internal/process"
)

const (
	nodeName = "node-1"
	nodeZone = "zone-a"
	// grace is short: no program here has anything to save.
	grace = 2 * time.Second
)

// A cluster is the cluster of all stages.
type cluster struct {
	options
	out io.Writer

	plane     *controlplane.ControlPlane
	core      kubernetes.Interface
	workloads versioned.Interface
	// started are the processes besides the control plane, oldest first; mu guards them.
	mu      sync.Mutex
	started []*process.Process
	// discovery has the targets of Prometheus.
	discovery *http.Server
	// watched is the start time of Prometheus, and alerts are the names of its rules.
	watched time.Time
	alerts  []string
	// measured are the lines that the stage adds to its result.
	measured []string
}

// note adds a line to the stage's result.
func (c *cluster) note(format string, values ...any) {
	c.measured = append(c.measured, fmt.Sprintf(format, values...))
}

// startControlPlane starts etcd, the API server, the controller manager and the scheduler
// at the node's address, which Pods can reach.
func startControlPlane(ctx context.Context, c *cluster) error {
	directory := filepath.Join(c.work, "logs", "control-plane")
	var err error
	c.plane, err = controlplane.Start(context.WithoutCancel(ctx), controlplane.Options{
		Binaries:          filepath.Join(c.work, "bin"),
		Directory:         directory,
		ControllerManager: true,
		Address:           c.nodeIP,
		Flags: map[controlplane.Component][]string{
			// Pods reach the API server by the Service kubernetes.
			controlplane.APIServer: {"--endpoint-reconciler-type=lease"},
		},
	})
	if err != nil {
		return err
	}
	if c.core, err = kubernetes.NewForConfig(c.plane.AdminConfig()); err != nil {
		return err
	}
	if c.workloads, err = versioned.NewForConfig(c.plane.AdminConfig()); err != nil {
		return err
	}
	_, err = c.start(ctx, "kube-scheduler", nil, []string{
		c.bin("kube-scheduler"),
		"--kubeconfig=" + c.plane.Kubeconfig(),
		"--leader-elect=false",
		"--secure-port=0",
	})
	return err
}

// start runs a program until stop.
func (c *cluster) start(ctx context.Context, name string, ready func(context.Context) error, command []string) (*process.Process, error) {
	started, err := process.Start(ctx, process.Spec{
		Name: name, Command: command, Log: c.log(name), Ready: ready, Grace: grace,
		Environment: []string{"PATH=" + c.work + "/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
	})
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.started = append(c.started, started)
	return started, nil
}

// stop ends the started processes, newest first.
func (c *cluster) stop() error {
	for _, p := range slices.Backward(c.started) {
		p.Kill()
	}
	c.started = nil
	if c.discovery != nil {
		// An error of the closed listener does not matter here.
		_ = c.discovery.Close()
	}
	if c.plane == nil {
		return nil
	}
	return c.plane.Stop()
}

// command runs a program to its end and returns its output.
func (c *cluster) command(ctx context.Context, name string, arguments ...string) (string, error) {
	command := exec.CommandContext(ctx, name, arguments...)
	command.Env = append(os.Environ(), "HOME="+c.work, "KUBECONFIG="+c.plane.Kubeconfig())
	output, err := command.CombinedOutput()
	if err != nil {
		return string(output), fmt.Errorf("%s %s: %w\n%s", filepath.Base(name), arguments[0],
			errors.Join(err, ctx.Err()), strings.TrimSpace(string(output)))
	}
	return string(output), nil
}

// inVM returns a command that runs a program in the VMs' network.
func (c *cluster) inVM(command ...string) []string {
	return append([]string{"nsenter", "--net=" + c.vmNamespace}, command...)
}
