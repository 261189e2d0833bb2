package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/external-workload/controller/test/internal/controlplane"
)

const (
	exampleNamespace = "mixed-env"
	exampleName      = "external-workload"
	readyAnnotation  = "external-workload.io/ready"

	policyInterval = 100 * time.Millisecond
	// policyTimeout covers the second or two until the API server applies a new policy.
	policyTimeout = 20 * time.Second
)

// install installs the CustomResourceDefinition, the admission policies and the example's
// namespace in the control plane of this program.
func install(ctx context.Context, place *cluster, out io.Writer) error {
	crd, err := controlplane.CRD()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "installing the CustomResourceDefinition %s\n", crd.Name)
	if err := controlplane.InstallCRD(ctx, place.config, crd); err != nil {
		return err
	}
	if _, err := place.runKubectl(ctx, "create", "namespace", exampleNamespace); err != nil {
		return err
	}
	policies, err := repositoryFile("charts", "external-workload-controller", "files", "policies")
	if err != nil {
		return err
	}
	if _, err := os.Stat(policies); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	fmt.Fprintln(out, "installing the admission policies")
	if _, err := place.runKubectl(ctx, "apply", "--filename="+policies); err != nil {
		return err
	}
	return waitForPolicies(ctx, place)
}

// waitForPolicies applies the example with a dry run until the API server accepts it.
// Policies see a new kind a moment later than other components, and refuse it meanwhile.
func waitForPolicies(ctx context.Context, place *cluster) error {
	example, err := repositoryFile("docs", "examples", "documented.yaml")
	if err != nil {
		return err
	}
	var refused error
	err = wait.PollUntilContextTimeout(ctx, policyInterval, policyTimeout, true, func(ctx context.Context) (bool, error) {
		_, refused = place.runKubectl(ctx, "apply", "--dry-run=server", "--output=yaml", "--filename="+example)
		return refused == nil, nil
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("waiting until the API server accepts the example: %w: %w", err, refused)
	}
	return nil
}

func applyExample(ctx context.Context, place *cluster, out io.Writer) error {
	example, err := repositoryFile("docs", "examples", "documented.yaml")
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "applying docs/examples/documented.yaml")
	_, err = place.runKubectl(ctx, "apply", "--filename="+example)
	return err
}

// runKubectl returns the output of kubectl. An error contains it too.
func (c *cluster) runKubectl(ctx context.Context, arguments ...string) (string, error) {
	command := exec.CommandContext(ctx, c.kubectl, append([]string{
		"--kubeconfig=" + c.kubeconfig,
		"--cache-dir=" + filepath.Join(c.directory, "kubectl"),
	}, arguments...)...)
	output, err := command.CombinedOutput()
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if err != nil {
		return "", fmt.Errorf("kubectl %s: %w: %s", strings.Join(arguments, " "), err, output)
	}
	return string(output), nil
}

func repositoryFile(elements ...string) (string, error) {
	root, err := controlplane.RepositoryRoot()
	if err != nil {
		return "", err
	}
	return filepath.Join(append([]string{root}, elements...)...), nil
}
