package faults

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"k8s.io/client-go/rest"

	"github.com/external-workload/controller/test/internal/controlplane"
	"github.com/external-workload/controller/test/internal/process"
)

const (
	program  = "external-workload-controller"
	loopback = "127.0.0.1"
	// startTimeout is the maximum time until a controller is ready.
	startTimeout = 2 * time.Minute
)

// Build builds the controller in the directory and returns its path.
func Build(ctx context.Context, directory string) (string, error) {
	return build(ctx, filepath.Join(directory, program))
}

func build(ctx context.Context, binary string, flags ...string) (string, error) {
	root, err := controlplane.RepositoryRoot()
	if err != nil {
		return "", err
	}
	arguments := append([]string{"-C", root, "build", "-o", binary}, flags...)
	command := exec.CommandContext(ctx, "go", append(arguments, "./cmd/"+program)...)
	if output, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the controller: %w\n%s", err, output)
	}
	return binary, nil
}

// ControllerOptions say how to run one instance of the controller.
type ControllerOptions struct {
	// Binary is the program, and Directory the folder for its files.
	Binary, Directory string
	// Name is the instance's identity.
	Name string
	// Target is the API server. The instance reaches it through its own proxy.
	Target *rest.Config
	// Flags and Environment are added to the command.
	Flags, Environment []string
	// Prefix is put in front of the command, and must exec it.
	Prefix []string
}

// Controller is an instance of the controller with its own proxy. It can be started again
// after its end, with the same proxy and addresses.
type Controller struct {
	Name    string
	Proxy   *Proxy
	options ControllerOptions
	health  string
	metrics string

	mu      sync.Mutex
	running *process.Process
}

// NewController makes an instance without starting it.
func NewController(ctx context.Context, options ControllerOptions) (*Controller, error) {
	proxy, err := NewProxy(ctx, options.Target)
	if err != nil {
		return nil, err
	}
	content, err := proxy.Kubeconfig()
	if err != nil {
		return nil, err
	}
	c := &Controller{Name: options.Name, Proxy: proxy, options: options}
	if err := os.WriteFile(c.file("kubeconfig"), content, 0o600); err != nil {
		return nil, fmt.Errorf("writing the kubeconfig of %s: %w", options.Name, err)
	}
	for _, address := range []*string{&c.health, &c.metrics} {
		if *address, err = freeAddress(); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// given are the assigned addresses, so that two instances that do not listen yet get
// different ones.
var given sync.Map

func freeAddress() (string, error) {
	for {
		port, err := controlplane.FreePort(loopback)
		if err != nil {
			return "", err
		}
		address := net.JoinHostPort(loopback, strconv.Itoa(port))
		if _, taken := given.LoadOrStore(address, true); !taken {
			return address, nil
		}
	}
}

func (c *Controller) file(kind string) string {
	return filepath.Join(c.options.Directory, c.Name+"."+kind)
}

// Log returns the path of the instance's log.
func (c *Controller) Log() string { return c.file("log") }

// Start starts the program without waiting until it is ready.
func (c *Controller) Start(ctx context.Context) error {
	flags := []string{
		"--kubeconfig=" + c.file("kubeconfig"),
		"--health-bind-address=" + c.health,
		"--metrics-bind-address=" + c.metrics,
		"--field-manager=" + c.Name,
		"--identity=" + c.Name,
	}
	started, err := process.Start(ctx, process.Spec{
		Name:        c.Name,
		Command:     slices.Concat(c.options.Prefix, []string{c.options.Binary}, flags, c.options.Flags),
		Environment: c.options.Environment,
		Log:         c.Log(),
	})
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running = started
	return nil
}

// StartReady starts the program and waits until it is ready.
func (c *Controller) StartReady(ctx context.Context) error {
	if err := c.Start(ctx); err != nil {
		return err
	}
	return c.WaitReady(ctx)
}

// WaitReady waits until the instance is ready.
func (c *Controller) WaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := c.Health(ctx, "readyz")
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s to be ready: %w", c.Name, err)
		case <-c.process().Exited():
			tail, _ := process.Tail(c.Log())
			return fmt.Errorf("%s has ended; its log ends with:\n%s", c.Name, tail)
		case <-ticker.C:
		}
	}
}

func (c *Controller) process() *process.Process {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.running
}

// Running reports whether the program has been started and has not ended.
func (c *Controller) Running() bool {
	running := c.process()
	if running == nil {
		return false
	}
	select {
	case <-running.Exited():
		return false
	default:
		return true
	}
}

// Exited is closed when the program has ended.
func (c *Controller) Exited() <-chan struct{} { return c.process().Exited() }

// Pid returns the process id of the program.
func (c *Controller) Pid() int { return c.process().Pid() }

// Kill ends the program with SIGKILL.
func (c *Controller) Kill() {
	if running := c.process(); running != nil {
		running.Kill()
	}
}

// Terminate ends the program with SIGTERM. It returns an error if the program had to be
// killed or its exit code is not 0.
func (c *Controller) Terminate() error { return c.process().Stop() }

// Freeze stops the program with SIGSTOP.
func (c *Controller) Freeze() error { return c.process().Signal(syscall.SIGSTOP) }

// Thaw continues it with SIGCONT.
func (c *Controller) Thaw() error { return c.process().Signal(syscall.SIGCONT) }

// Signal sends a signal.
func (c *Controller) Signal(signal os.Signal) error { return c.process().Signal(signal) }

// Usage returns the program's resource usage.
func (c *Controller) Usage() (Usage, error) { return UsageOf(c.Pid()) }

// Health requests readyz or livez. It returns nil if the check passes.
func (c *Controller) Health(ctx context.Context, which string) error {
	_, err := fetch(ctx, "http://"+c.health+"/"+which)
	return err
}

// Metric returns the sum of a metric over its labels (for a histogram, the sum of the
// observations), or 0 if it does not exist.
func (c *Controller) Metric(ctx context.Context, name string) (float64, error) {
	text, err := fetch(ctx, "http://"+c.metrics+"/metrics")
	if err != nil {
		return 0, err
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		return 0, fmt.Errorf("reading the metrics of %s: %w", c.Name, err)
	}
	sum := 0.0
	for _, metric := range families[name].GetMetric() {
		sum += metric.GetGauge().GetValue() + metric.GetCounter().GetValue() + metric.GetHistogram().GetSampleSum()
	}
	return sum, nil
}
