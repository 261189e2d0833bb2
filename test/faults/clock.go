package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/external-workload/controller/test/internal/controlplane"
)

// The signals with which a program of BuildWithClock moves its clock by an hour.
const (
	AnHourAhead = syscall.SIGUSR1
	AnHourBack  = syscall.SIGUSR2
)

// jumper is compiled into the program's main package and moves the clock.
const jumper = `package main

import (
	"os"
	"os/signal"
	"syscall"
	"time"
)

func init() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGUSR2)
	go func() {
		for s := range signals {
			if s == syscall.SIGUSR1 {
				time.Jumped += 3600
			} else {
				time.Jumped -= 3600
			}
		}
	}()
}
`

// BuildWithClock is Build for a program whose wall clock can be moved while it runs, as an
// administrator or a VM's host may do; the monotonic clock continues. The kernel has only
// one wall clock for all processes, so the program gets a changed package time. This
// compiles all packages again, which takes minutes the first time.
func BuildWithClock(ctx context.Context, directory string) (string, error) {
	root, err := controlplane.RepositoryRoot()
	if err != nil {
		return "", err
	}
	goroot, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("asking for GOROOT: %w", err)
	}
	original := filepath.Join(strings.TrimSpace(string(goroot)), "src", "time", "time.go")
	source, err := os.ReadFile(original)
	if err != nil {
		return "", fmt.Errorf("reading the package time: %w", err)
	}
	const reading = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	if !strings.Contains(string(source), reading) {
		return "", fmt.Errorf("%s does not read the clock as expected", original)
	}
	moved := strings.Replace(string(source), reading, "// Jumped is by how many seconds the clock was moved.\nvar Jumped int64\n\n"+reading+"\tsec += Jumped\n", 1)
	overlay := map[string]map[string]string{"Replace": {
		original: filepath.Join(directory, "time.go"),
		filepath.Join(root, "cmd", program, "jumper.go"): filepath.Join(directory, "jumper.go"),
	}}
	content, err := json.Marshal(overlay)
	if err != nil {
		return "", fmt.Errorf("writing the overlay: %w", err)
	}
	for name, text := range map[string]string{"time.go": moved, "jumper.go": jumper, "overlay.json": string(content)} {
		if err := os.WriteFile(filepath.Join(directory, name), []byte(text), 0o600); err != nil {
			return "", fmt.Errorf("writing the overlay: %w", err)
		}
	}
	return build(ctx, filepath.Join(directory, program+"-with-clock"), "-overlay="+filepath.Join(directory, "overlay.json"))
}
