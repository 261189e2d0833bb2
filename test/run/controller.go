package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/external-workload/controller/test/internal/controlplane"
	"github.com/external-workload/controller/test/internal/process"
)

const (
	controllerName = "external-workload-controller"
	loopback       = "127.0.0.1"
	// readyTimeout is the maximum time until the controller's caches are filled.
	readyTimeout = time.Minute
	// stopGrace is longer than a write in flight and the release of the Lease take.
	stopGrace = 30 * time.Second
)

// A controller is the controller's child process.
type controller struct {
	process *process.Process
	log     string
	// metrics is host:port of /metrics, health that of /livez and /readyz.
	metrics, health string
}

// startController builds and starts the controller and waits until it is ready.
func startController(ctx context.Context, o options, place *cluster, out io.Writer) (*controller, error) {
	binary := o.controller
	if binary == "" {
		fmt.Fprintln(out, "building the controller")
		built, err := buildController(ctx, place.directory)
		if err != nil {
			return nil, err
		}
		binary = built
	}
	c := &controller{log: filepath.Join(place.directory, controllerName+".log")}
	var err error
	if c.metrics, err = freeAddress(); err != nil {
		return nil, err
	}
	if c.health, err = freeAddress(); err != nil {
		return nil, err
	}
	fmt.Fprintln(out, "starting the controller")
	starting, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	c.process, err = process.Start(starting, process.Spec{
		Name:    controllerName,
		Command: append([]string{binary}, c.flags(o, place)...),
		Log:     c.log,
		Grace:   stopGrace,
		Ready:   controlplane.Healthy("http://" + c.health + "/readyz"),
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// flags keeps leader election on in an existing cluster, where another controller may run.
func (c *controller) flags(o options, place *cluster) []string {
	flags := []string{
		"--kubeconfig=" + place.kubeconfig,
		"--metrics-bind-address=" + c.metrics,
		"--health-bind-address=" + c.health,
	}
	if place.own {
		flags = append(flags, "--leader-elect=false")
	}
	return append(flags, o.forController...)
}

func freeAddress() (string, error) {
	port, err := controlplane.FreePort(loopback)
	return net.JoinHostPort(loopback, strconv.Itoa(port)), err
}

func buildController(ctx context.Context, directory string) (string, error) {
	root, err := controlplane.RepositoryRoot()
	if err != nil {
		return "", err
	}
	binary := filepath.Join(directory, controllerName)
	command := exec.CommandContext(ctx, "go", "-C", root, "build", "-o", binary, "./cmd/"+controllerName)
	if output, err := command.CombinedOutput(); err != nil {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		return "", fmt.Errorf("building the controller: %w\n%s", err, output)
	}
	return binary, nil
}

// tail returns the end of the controller's log, which is deleted at the end of this
// program.
func (c *controller) tail() string {
	tail, err := process.Tail(c.log)
	if err != nil {
		return err.Error()
	}
	return tail
}
