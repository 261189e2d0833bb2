package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/prometheus/procfs"

	"github.com/external-workload/controller/test/internal/process"
)

// A program is a measured process: the controller, or the floor with which it is compared.
type program struct {
	process *process.Process
	log     string
	started time.Time
}

// start runs a program and writes its log to a file of the stage.
func (s *stage) start(ctx context.Context, name string, command []string) (program, error) {
	s.runs++
	p := program{log: filepath.Join(s.plane.Directory(), fmt.Sprintf("%s-%d.log", name, s.runs)), started: time.Now()}
	var err error
	p.process, err = process.Start(ctx, process.Spec{Name: name, Command: command, Log: p.log})
	return p, err
}

// usage is the resource usage of a process.
type usage struct {
	cpuTime time.Duration
	// Resident memory in bytes, the part of it that is pages of files, and its maximum so
	// far.
	resident, files, peak float64
}

func (p *program) usage() (usage, error) {
	proc, err := procfs.NewProc(p.process.Pid())
	if err != nil {
		return usage{}, err
	}
	stat, err := proc.Stat()
	if err != nil {
		return usage{}, err
	}
	status, err := proc.NewStatus()
	if err != nil {
		return usage{}, err
	}
	return usage{
		cpuTime:  time.Duration(stat.CPUTime() * float64(time.Second)),
		resident: float64(status.VmRSS), files: float64(status.RssFile), peak: float64(status.VmHWM),
	}, nil
}

// settle returns at once: the floor has no queue.
func (p *program) settle(context.Context) error { return nil }

// saveProfile does nothing: the floor serves no profiles.
func (p *program) saveProfile(context.Context, string, string, string) error { return nil }
