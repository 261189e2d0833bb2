package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/external-workload/controller/test/internal/controlplane"
)

const floorName = "floor"

// floorEndpoints is the maximum number of workloads of a Service that the floor can
// publish, since it makes one slice for each Service.
const floorEndpoints = 100

// buildFloor builds the floor with the flags of a release.
func buildFloor(ctx context.Context, directory string) (string, error) {
	root, err := controlplane.RepositoryRoot()
	if err != nil {
		return "", err
	}
	binary := filepath.Join(directory, floorName)
	command := exec.CommandContext(ctx, "go", "-C", filepath.Join(root, "test"), "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, "./bench/floor")
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := command.CombinedOutput(); err != nil {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		return "", fmt.Errorf("building the floor: %w\n%s", err, output)
	}
	return binary, nil
}

// startFloor starts the floor and returns at once.
func (s *stage) startFloor(ctx context.Context) (*program, error) {
	p, err := s.start(ctx, floorName, []string{s.bench.floor, s.plane.Kubeconfig()})
	if err != nil {
		return nil, err
	}
	return &p, nil
}

// publishFloor starts the floor and waits until all is published.
func (s *stage) publishFloor(ctx context.Context, shape shape) (*program, start, error) {
	w, err := s.newWatcher(ctx)
	if err != nil {
		return nil, start{}, err
	}
	defer w.stop()
	w.expect(shape.total())
	p, err := s.startFloor(ctx)
	if err != nil {
		return nil, start{}, err
	}
	one, err := p.published(ctx, w)
	if err != nil {
		return nil, start{}, errors.Join(err, p.process.Stop())
	}
	return p, one, nil
}

func (p *program) published(ctx context.Context, w *watcher) (start, error) {
	end, err := w.wait(ctx)
	if err != nil {
		return start{}, err
	}
	used, err := p.usage()
	if err != nil {
		return start{}, err
	}
	listed, err := p.listed()
	return start{listing: listed.Sub(p.started), writing: end.Sub(listed), used: used}, err
}

// listed returns the time at which the floor had listed the workloads.
func (p *program) listed() (time.Time, error) {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return time.Time{}, err
	}
	var nanoseconds int64
	if _, err := fmt.Sscanf(string(text), "listed %d", &nanoseconds); err != nil {
		return time.Time{}, fmt.Errorf("reading when the floor had listed the workloads: %w; its log is %q", err, text)
	}
	return time.Unix(0, nanoseconds), nil
}
