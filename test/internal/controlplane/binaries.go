package controlplane

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// builderGrace is the time that the build has to exit after an interrupt.
const builderGrace = 15 * time.Second

// Binaries returns the folder of the control plane's programs: the value of
// KUBEBUILDER_ASSETS, or else the folder that hack/kubernetes fills, which takes several
// minutes the first time. also names additional components, such as kubelet. The progress of
// the build is written to progress.
func Binaries(ctx context.Context, progress io.Writer, also ...string) (string, error) {
	root, err := RepositoryRoot()
	if err != nil {
		return "", err
	}
	var folder bytes.Buffer
	arguments := append([]string{"-C", filepath.Join(root, "hack", "kubernetes"), "run", "."}, also...)
	command := exec.CommandContext(ctx, "go", arguments...)
	command.Stdout, command.Stderr = &folder, progress
	// Interrupt the whole process group, because go run does not forward signals.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGINT) }
	command.WaitDelay = builderGrace
	if err := command.Run(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return "", fmt.Errorf("building the control plane: %w", err)
	}
	return strings.TrimSpace(folder.String()), nil
}

// RepositoryRoot returns the folder of this repository: the nearest one above the
// working directory that holds hack/kubernetes/go.mod.
func RepositoryRoot() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for folder := start; ; folder = filepath.Dir(folder) {
		_, err := os.Stat(filepath.Join(folder, "hack", "kubernetes", "go.mod"))
		switch {
		case err == nil:
			return folder, nil
		case !errors.Is(err, os.ErrNotExist):
			return "", err
		case folder == filepath.Dir(folder):
			return "", fmt.Errorf("%s is not in the repository of the controller: no folder above it holds hack/kubernetes", start)
		}
	}
}
