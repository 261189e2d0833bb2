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
)

// notHere is the reason why the tests cannot run; empty if they can.
var notHere string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(netns.Main(m, netns.Options{Variable: programsVariable, Build: build}, &notHere))
}

// build builds the controller and Traefik.
func build(ctx context.Context, directory string) (string, error) {
	if _, err := faults.Build(ctx, directory); err != nil {
		return "", err
	}
	path, err := traefik(ctx)
	if err != nil {
		return "", err
	}
	return directory, os.Symlink(path, filepath.Join(directory, traefikName))
}

// traefik returns the path of Traefik, and builds it unless the build cache has it.
func traefik(ctx context.Context) (string, error) {
	if given := os.Getenv(traefikVariable); given != "" {
		return given, nil
	}
	command := exec.CommandContext(ctx, "go", "-C", "../../hack/traefik", "tool", "-n", traefikName)
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	path, err := command.Output()
	if exit, ended := errors.AsType[*exec.ExitError](err); ended {
		return "", fmt.Errorf("building Traefik: %w\n%s", err, exit.Stderr)
	}
	if err != nil {
		return "", fmt.Errorf("building Traefik: %w", err)
	}
	return strings.TrimSpace(string(path)), nil
}

// program returns the path of a built program.
func program(name string) string { return filepath.Join(os.Getenv(programsVariable), name) }
