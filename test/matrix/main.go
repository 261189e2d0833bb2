// Command matrix runs the suites that need a real API server with every version of Kubernetes
// that hack/kubernetes builds, and writes the numbers of passed and skipped tests to
// docs/versions.md.
//
//	go -C test run ./matrix [-versions 1.31,1.33] [-document ../docs/versions.md]
//
// Versions that are not run keep their rows. If a test fails, it still writes the document and
// then fails.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/external-workload/controller/test/internal/controlplane"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "matrix:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) error {
	root, err := controlplane.RepositoryRoot()
	if err != nil {
		return err
	}
	flags := flag.NewFlagSet("matrix", flag.ContinueOnError)
	asked := flags.String("versions", "", "versions of Kubernetes to run, separated by commas; by default all")
	path := flags.String("document", filepath.Join(root, "docs", "versions.md"), "document whose table is written")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	versions := strings.FieldsFunc(*asked, func(r rune) bool { return r == ',' })
	if len(versions) == 0 {
		if versions, err = kubernetes(ctx, root, "-list"); err != nil {
			return err
		}
	}
	var failed []string
	for _, version := range versions {
		r, err := runVersion(ctx, root, version)
		if err != nil {
			return fmt.Errorf("running Kubernetes %s: %w", version, err)
		}
		if err := record(*path, r); err != nil {
			return err
		}
		if r.failed() {
			failed = append(failed, r.version)
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("tests fail on Kubernetes %s; see %s", strings.Join(failed, ", "), *path)
	}
	return nil
}

// runVersion builds one version and runs all suites with it.
func runVersion(ctx context.Context, root, version string) (result, error) {
	folders, err := kubernetes(ctx, root, "-version", version)
	if err != nil {
		return result{}, err
	}
	folder := folders[0]
	full, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(folder), "v"), "-")
	r := result{version: full, at: time.Now()}
	for _, s := range suites {
		began := time.Now()
		fmt.Printf("Kubernetes %s: %s\n", full, s.name)
		outcome, err := s.run(ctx, root, folder)
		if err != nil {
			return result{}, fmt.Errorf("%s: %w", s.name, err)
		}
		fmt.Printf("Kubernetes %s: %s: %s in %s\n", full, s.name, outcome, time.Since(began).Round(time.Second))
		r.suites = append(r.suites, outcome)
	}
	return r, nil
}

// kubernetes returns the lines that hack/kubernetes prints.
func kubernetes(ctx context.Context, root string, arguments ...string) ([]string, error) {
	command := exec.CommandContext(ctx, "go", append([]string{"-C", filepath.Join(root, "hack", "kubernetes"), "run", "."}, arguments...)...)
	var printed bytes.Buffer
	command.Stdout, command.Stderr = &printed, os.Stderr
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("hack/kubernetes: %w", err)
	}
	return strings.Fields(printed.String()), nil
}
