package traefik

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/external-workload/controller/test/faults"
	"github.com/external-workload/controller/test/internal/netns"
)

const (
	// traefikVariable may contain the absolute path of a Traefik to test, such as a release,
	// instead of the one that is built here.
	traefikVariable = "TRAEFIK"
	// programsVariable passes the folder of the built programs to the process in the network
	// namespace.
	programsVariable = "TRAEFIK_PROGRAMS"

	traefikName    = "traefik"
	controllerName = "external-workload-controller"
	echoName       = "echo-basic"

	gatewayModule = "sigs.k8s.io/gateway-api"
	// gatewayFolder is the name of the link to the Gateway API's folder.
	gatewayFolder = "gateway-api"
	// traefikFolder is the folder of the module that builds Traefik.
	traefikFolder = "../../hack/traefik"
)

// notHere is the reason why the tests cannot run; empty if they can.
var notHere string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(netns.Main(m, netns.Options{Variable: programsVariable, Build: build}, &notHere))
}

// build builds the programs, and finds the CRDs of the Gateway API.
func build(ctx context.Context, directory string) (string, error) {
	if _, err := faults.Build(ctx, directory); err != nil {
		return "", err
	}
	gateways, err := gatewayAPIFolder(ctx)
	if err != nil {
		return "", err
	}
	echo, err := run(ctx, "tool", "-n", echoName)
	if err != nil {
		return "", fmt.Errorf("building the echo server: %w", err)
	}
	path, err := traefik(ctx)
	if err != nil {
		return "", err
	}
	return directory, errors.Join(
		os.Symlink(gateways, filepath.Join(directory, gatewayFolder)),
		os.Symlink(echo, filepath.Join(directory, echoName)),
		os.Symlink(path, filepath.Join(directory, traefikName)))
}

// gatewayAPIFolder returns the folder of the Gateway API's module. Its version has to be the one
// that Traefik is built with.
func gatewayAPIFolder(ctx context.Context) (string, error) {
	folder, err := run(ctx, "list", "-m", "-f", "{{.Version}} {{.Dir}}", gatewayModule)
	if err != nil {
		return "", fmt.Errorf("finding the Gateway API: %w", err)
	}
	supported, err := run(ctx, "-C", traefikFolder, "list", "-m", "-f", "{{.Version}}", gatewayModule)
	if err != nil {
		return "", fmt.Errorf("finding the version of the Gateway API in Traefik: %w", err)
	}
	version, folder, _ := strings.Cut(folder, " ")
	if version != supported {
		return "", fmt.Errorf("%s is %s here and %s in Traefik", gatewayModule, version, supported)
	}
	return folder, nil
}

// traefik returns the path of Traefik, and builds it unless the build cache has it.
func traefik(ctx context.Context) (string, error) {
	if given := os.Getenv(traefikVariable); given != "" {
		return given, nil
	}
	path, err := run(ctx, "-C", traefikFolder, "tool", "-n", traefikName)
	if err != nil {
		return "", fmt.Errorf("building Traefik: %w", err)
	}
	return path, nil
}

// run runs the go command and returns its output.
func run(ctx context.Context, arguments ...string) (string, error) {
	command := exec.CommandContext(ctx, "go", arguments...)
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	output, err := command.Output()
	if exit, ended := errors.AsType[*exec.ExitError](err); ended {
		return "", fmt.Errorf("go %s: %w\n%s", strings.Join(arguments, " "), err, exit.Stderr)
	}
	return strings.TrimSpace(string(output)), err
}

// program returns the path of a built program or of the Gateway API.
func program(name string) string { return filepath.Join(os.Getenv(programsVariable), name) }
