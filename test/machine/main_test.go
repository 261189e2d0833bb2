package machine

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/external-workload/controller/test/faults"
	"github.com/external-workload/controller/test/internal/netns"
)

const (
	// programsVariable passes the folder of the built programs to the process in the network
	// namespace.
	programsVariable = "MACHINE_PROGRAMS"

	pluginName     = "external-workload"
	controllerName = "external-workload-controller"

	// machineNetwork is the range of the machines' addresses.
	machineNetwork = "10.77.0.0/16"
)

// notHere is the reason why the tests cannot run; empty if they can.
var notHere string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(netns.Main(m, netns.Options{Variable: programsVariable, Build: build}, &notHere))
}

// build builds the program for machines and the controller.
func build(ctx context.Context, directory string) (string, error) {
	controller, err := faults.Build(ctx, directory)
	if err != nil {
		return "", err
	}
	if err := os.Rename(controller, filepath.Join(directory, controllerName)); err != nil {
		return "", err
	}
	output, err := exec.CommandContext(ctx, "go", "-C", "../..", "build", "-o", filepath.Join(directory, pluginName), "./cmd/kubectl-external_workload").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building the program for machines: %w\n%s", err, output)
	}
	return directory, nil
}
