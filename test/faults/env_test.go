package faults_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/external-workload/controller/pkg/generated/clientset/versioned"
	"github.com/external-workload/controller/test/faults"
	"github.com/external-workload/controller/test/internal/controlplane"
	"github.com/external-workload/controller/test/internal/oracle"
)

var long = flag.Bool("long", false, "run the tests that take minutes, and the others at full size")

// shared is the control plane of the tests that do not break it.
var shared struct {
	once  sync.Once
	plane *controlplane.ControlPlane
	err   error
}

// built is the controller's binary.
var built struct {
	once      sync.Once
	directory string
	binary    string
	err       error
}

func TestMain(m *testing.M) {
	if servers := os.Getenv(hostileServers); servers != "" {
		if err := probeHostileServers(servers); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	flag.Parse()
	// The parallel tests mostly wait, so there may be more of them than CPUs.
	if err := flag.Set("test.parallel", "8"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	code := m.Run()
	if shared.plane != nil {
		if err := shared.plane.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	if built.directory != "" {
		if err := os.RemoveAll(built.directory); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	os.Exit(code)
}

// binary builds the program once for all tests.
func binary(t *testing.T) string {
	t.Helper()
	built.once.Do(func() {
		built.directory, built.err = os.MkdirTemp("", "faults-")
		if built.err == nil {
			built.binary, built.err = faults.Build(context.Background(), built.directory)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.binary
}

// world is an API server with the test's own clients, which no fault affects.
type world struct {
	*testing.T
	plane     *controlplane.ControlPlane
	config    *rest.Config
	kube      kubernetes.Interface
	workloads versioned.Interface
	oracle    *oracle.Cluster
	history   *faults.History
	// namespace is the test's own namespace.
	namespace string
	// flags are the flags of every instance.
	flags []string
	// program is the binary of the instances; if empty, the one that all tests share.
	program string
}

var namespaces atomic.Int32

// newWorld returns a new namespace on the shared control plane.
func newWorld(t *testing.T) *world {
	t.Helper()
	shared.once.Do(func() {
		shared.plane, shared.err = controlplane.Start(context.Background(), controlplane.Options{})
		if shared.err == nil {
			shared.err = controlplane.InstallChartCRD(context.Background(), shared.plane.AdminConfig())
		}
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return worldOn(t, shared.plane)
}

// newParallelWorld is newWorld for a test that mostly waits and runs in parallel: its
// instances serve only its namespace.
func newParallelWorld(t *testing.T) *world {
	t.Helper()
	t.Parallel()
	w := newWorld(t)
	w.flags = []string{"--namespaces=" + w.namespace}
	return w
}

// newOwnWorld starts a separate control plane, which the test may break.
func newOwnWorld(t *testing.T) *world {
	t.Helper()
	plane := controlplane.ForTest(t, controlplane.Options{})
	if err := controlplane.InstallChartCRD(t.Context(), plane.AdminConfig()); err != nil {
		t.Fatal(err)
	}
	return worldOn(t, plane)
}

func worldOn(t *testing.T, plane *controlplane.ControlPlane) *world {
	t.Helper()
	config := plane.AdminConfig()
	config.QPS = -1
	w := &world{T: t, plane: plane, config: config}
	var err error
	if w.kube, err = kubernetes.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	if w.workloads, err = versioned.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	if w.oracle, err = oracle.NewCluster(config); err != nil {
		t.Fatal(err)
	}
	w.namespace = w.newNamespace()
	if w.history, err = faults.Record(t.Context(), config, w.namespace); err != nil {
		t.Fatal(err)
	}
	return w
}

// controller makes an instance without starting it. It ends with the test.
func (w *world) controller(name string, flags ...string) *faults.Controller {
	w.Helper()
	return w.controllerWith(faults.ControllerOptions{Name: name, Flags: flags})
}

// controllerWith is controller with options. It sets the program, the folder and the API
// server.
func (w *world) controllerWith(options faults.ControllerOptions) *faults.Controller {
	w.Helper()
	if w.program == "" {
		w.program = binary(w.T)
	}
	options.Binary, options.Directory, options.Target = w.program, w.directory(), w.config
	options.Flags = slices.Concat(options.Flags, w.flags)
	c, err := faults.NewController(w.Context(), options)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() {
		c.Kill()
		if w.Failed() {
			w.Logf("the end of the log of %s:\n%s", options.Name, tail(c.Log()))
		}
	})
	return c
}

// alone starts one instance without leader election and waits until it is ready.
func (w *world) alone(flags ...string) *faults.Controller {
	w.Helper()
	c := w.controller("alone", append([]string{"--leader-elect=false"}, flags...)...)
	w.start(c)
	return c
}

func (w *world) start(c *faults.Controller) {
	w.Helper()
	if err := c.StartReady(w.Context()); err != nil {
		w.Fatal(err)
	}
}

func (w *world) directory() string {
	w.Helper()
	directory, err := os.MkdirTemp(w.ArtifactDir(), "controllers-")
	if err != nil {
		w.Fatal(err)
	}
	return directory
}

// converges waits until the oracle finds no difference and returns the time. It fails the
// test after the limit. Without namespaces it compares the test's own.
func (w *world) converges(limit time.Duration, namespaces ...string) time.Duration {
	w.Helper()
	if len(namespaces) == 0 {
		namespaces = []string{w.namespace}
	}
	started := time.Now()
	w.agrees(limit, namespaces...)
	took := time.Since(started)
	// The recorded history has its own watch, which may lag.
	ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
	defer cancel()
	if err := w.history.CatchUp(ctx, w.kube.DiscoveryV1(), w.namespace); err != nil {
		w.Fatal(err)
	}
	return took
}

// agrees is converges without the recorded history, for tests that break its watch.
func (w *world) agrees(limit time.Duration, namespaces ...string) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), limit)
	defer cancel()
	if err := w.oracle.Wait(ctx, oracle.Rules{}, namespaces...); err != nil {
		w.Fatalf("after %s the slices are still not as desired: %v", limit, err)
	}
}

// eventually waits until the condition holds.
func (w *world) eventually(limit time.Duration, what string, condition func() bool) time.Duration {
	w.Helper()
	started := time.Now()
	for ticker := w.ticker(5 * time.Millisecond); time.Since(started) < limit; <-ticker {
		if condition() {
			return time.Since(started)
		}
	}
	w.Fatalf("not within %s: %s", limit, what)
	return 0
}

// always fails the test as soon as the condition does not hold.
func (w *world) always(duration time.Duration, what string, condition func() error) {
	w.Helper()
	started := time.Now()
	for ticker := w.ticker(20 * time.Millisecond); time.Since(started) < duration; <-ticker {
		if err := condition(); err != nil {
			w.Fatalf("%s, after %s: %v", what, time.Since(started), err)
		}
	}
}

func (w *world) ticker(every time.Duration) <-chan time.Time {
	ticker := time.NewTicker(every)
	w.Cleanup(ticker.Stop)
	return ticker.C
}

// settle lets the watches live for longer than a second. The client takes a watch that ends
// earlier without an event for broken, lists again, and waits longer each time.
func (w *world) settle() {
	w.Helper()
	w.always(1100*time.Millisecond, "", func() error { return nil })
}

// nothingNeedless fails the test if an update since that time changed nothing.
func (w *world) nothingNeedless(since int) {
	w.Helper()
	for _, needless := range faults.NeedlessWrites(w.history.Since(since)) {
		w.Errorf("a write that changed nothing: %s", needless)
	}
}

func tail(file string) string {
	const most = 4000
	content, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	return string(content[max(0, len(content)-most):])
}
