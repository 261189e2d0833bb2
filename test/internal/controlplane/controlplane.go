package controlplane

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"k8s.io/client-go/rest"

	"github.com/external-workload/controller/test/internal/process"
)

const (
	etcdData = "etcd"
	// startAttempts is the maximum number of attempts to start, if another process takes a port
	// between its choice and its use.
	startAttempts = 3
)

// A ControlPlane is a running control plane. Its methods are safe for concurrent use.
type ControlPlane struct {
	options   Options
	directory string
	ports     ports
	authority *authority
	files     files
	admin     *User

	mu      sync.Mutex
	stopped bool
	running map[Component]*process.Process
}

// Start starts an empty cluster and returns when every component is ready. The end of ctx
// stops everything, like Stop. A caller whose own processes must end before the API server
// passes a longer context and calls Stop. If the start fails, nothing is left running, and
// the error has the end of the log.
func Start(ctx context.Context, options Options) (*ControlPlane, error) {
	options, err := options.complete(ctx)
	if err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		c, err := start(ctx, options)
		if err == nil {
			context.AfterFunc(ctx, func() { _ = c.Stop() })
			return c, nil
		}
		if attempt == startAttempts || !portTaken(err) {
			return nil, fmt.Errorf("starting the control plane: %w", err)
		}
	}
}

// portTaken recognizes the only failure that another attempt can fix. The components report
// it only in their logs.
func portTaken(err error) bool {
	exit, ok := errors.AsType[*process.ExitError](err)
	return ok && strings.Contains(exit.Tail, "address already in use")
}

func start(ctx context.Context, options Options) (*ControlPlane, error) {
	c, err := prepare(options)
	if err != nil {
		return nil, err
	}
	for _, component := range options.components() {
		if err := c.StartComponent(ctx, component); err != nil {
			return nil, errors.Join(err, c.Stop())
		}
	}
	return c, nil
}

// prepare does everything before the first process.
func prepare(options Options) (*ControlPlane, error) {
	c := &ControlPlane{
		options:   options,
		directory: options.Directory,
		running:   map[Component]*process.Process{},
	}
	var err error
	if c.directory == "" {
		c.directory, err = os.MkdirTemp("", "control-plane-")
	} else {
		err = errors.Join(os.MkdirAll(c.directory, 0o700), os.RemoveAll(c.Data()))
	}
	if err != nil {
		return nil, fmt.Errorf("making the control plane's folder: %w", err)
	}
	if err := c.identify(); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

// identify chooses the ports and creates the keys and the administrator.
func (c *ControlPlane) identify() (err error) {
	if c.ports, err = choosePorts(c.options.Address); err != nil {
		return err
	}
	if c.authority, err = newAuthority(); err != nil {
		return err
	}
	if c.files, err = c.authority.writeFiles(c.directory, c.options.Address); err != nil {
		return fmt.Errorf("writing the control plane's keys: %w", err)
	}
	c.admin, err = c.NewUser("admin", adminGroup)
	return err
}

// AdminConfig returns a new client configuration of the administrator, without client-side
// limits. It stays valid after restarts.
func (c *ControlPlane) AdminConfig() *rest.Config { return c.admin.Config() }

// Kubeconfig returns the administrator's kubeconfig file.
func (c *ControlPlane) Kubeconfig() string { return c.admin.Kubeconfig }

// Kubectl returns the path of the control plane's kubectl.
func (c *ControlPlane) Kubectl() string { return filepath.Join(c.options.Binaries, "kubectl") }

// Directory returns the folder of data, keys, logs and kubeconfigs. It exists until Stop.
func (c *ControlPlane) Directory() string { return c.directory }

// Data returns the folder of etcd's data.
func (c *ControlPlane) Data() string { return filepath.Join(c.directory, etcdData) }

// Log returns the path of the file to which all runs of the component append their output.
func (c *ControlPlane) Log(component Component) string {
	return filepath.Join(c.directory, string(component)+".log")
}

// StartComponent restarts a component that was stopped or killed, with its ports and data,
// and returns when it is ready. The other methods wait meanwhile.
func (c *ControlPlane) StartComponent(ctx context.Context, component Component) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return fmt.Errorf("starting %s: the control plane was stopped", component)
	}
	if earlier, ok := c.running[component]; ok {
		select {
		case <-earlier.Exited():
		default:
			return fmt.Errorf("starting %s: it runs already", component)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, c.options.StartTimeout)
	defer cancel()
	started, err := process.Start(ctx, c.spec(component))
	if err != nil {
		return err
	}
	c.running[component] = started
	return nil
}

// StopComponent ends one component with SIGTERM.
func (c *ControlPlane) StopComponent(component Component) error {
	return c.end(component, (*process.Process).Stop)
}

// Kill ends one component with SIGKILL, like a crash.
func (c *ControlPlane) Kill(component Component) error {
	return c.end(component, func(p *process.Process) error { p.Kill(); return nil })
}

// Signal sends a signal, such as SIGSTOP, to one component.
func (c *ControlPlane) Signal(component Component, signal syscall.Signal) error {
	p, err := c.process(component)
	if err != nil {
		return err
	}
	return p.Signal(signal)
}

// Pid returns the process id of a component, or 0 when it does not run.
func (c *ControlPlane) Pid(component Component) int {
	p, err := c.process(component)
	if err != nil {
		return 0
	}
	return p.Pid()
}

// Stop kills every component, last one first, and removes the folder unless the caller chose
// it. It does not use SIGTERM: no data is kept, and an API server without etcd would take a
// minute to end. A second call does nothing.
func (c *ControlPlane) Stop() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return nil
	}
	c.stopped = true
	for _, component := range slices.Backward(c.options.components()) {
		if ending, ok := c.running[component]; ok {
			ending.Kill()
		}
	}
	clear(c.running)
	if c.options.Directory != "" {
		return nil
	}
	return os.RemoveAll(c.directory)
}

func (c *ControlPlane) end(component Component, how func(*process.Process) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	ending, ok := c.running[component]
	if !ok {
		return notRunning(component)
	}
	delete(c.running, component)
	return how(ending)
}

func (c *ControlPlane) process(component Component) (*process.Process, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.running[component]
	if !ok {
		return nil, notRunning(component)
	}
	return found, nil
}

func notRunning(component Component) error {
	return fmt.Errorf("%s does not run", component)
}
