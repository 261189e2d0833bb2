// Package process runs programs as child processes that end with their parent, however it
// ends.
//
// On Linux the kernel sends the parent death signal when the thread that forked the child
// ends, not when the process ends. Go threads may end: a thread that a goroutine locked and
// did not unlock ends with the goroutine. So one thread that is locked for ever forks all
// children, and the signal comes exactly when the whole program ends, also after SIGKILL or a
// test's timeout.
//
// The package must not depend on the programs that it runs.
package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

const (
	// DefaultGrace is the time between SIGTERM and SIGKILL.
	DefaultGrace = 20 * time.Second
	// readyInterval is the interval between readiness checks.
	readyInterval = 50 * time.Millisecond
)

// A Spec describes how to run a program.
type Spec struct {
	// Name is the program's name in errors.
	Name string
	// Command is the program and its arguments. A program that runs another one, such as
	// nsenter, must exec it: a grandchild would neither get signals nor end with this
	// program.
	Command []string
	// Environment is added to this program's environment, as name=value.
	Environment []string
	// Log is the path of the file to which the output is appended.
	Log string
	// Ready returns nil once the program is ready. It is called repeatedly until then, with a
	// context that ends with the program. Nil: the program is ready at once.
	Ready func(context.Context) error
	// Grace is the time between SIGTERM and SIGKILL in Stop. Zero: DefaultGrace.
	Grace time.Duration
}

// A Process is a started program. Its methods are safe for concurrent use.
type Process struct {
	spec    Spec
	command *exec.Cmd
	exited  chan struct{}
	err     error // valid once exited is closed
}

// An ExitError means that a program ended before it was ready.
type ExitError struct {
	Name string
	// Err is the error of the exit; nil for exit code 0.
	Err error
	// Tail is the end of its log.
	Tail string
}

func (e *ExitError) Error() string {
	state := "exit status 0"
	if e.Err != nil {
		state = e.Err.Error()
	}
	return fmt.Sprintf("%s ended before it was ready: %s; its log ends with:\n%s", e.Name, state, e.Tail)
}

func (e *ExitError) Unwrap() error { return e.Err }

// Start runs the program and returns when it is ready. If it is not ready before ctx ends,
// Start kills it, and the error has the end of its log. If the program ends before it is ready,
// the error is an *ExitError. Later, ctx has no effect.
func Start(ctx context.Context, spec Spec) (*Process, error) {
	p := &Process{spec: spec, exited: make(chan struct{})}
	if p.spec.Grace == 0 {
		p.spec.Grace = DefaultGrace
	}
	log, err := os.OpenFile(spec.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the log of %s: %w", spec.Name, err)
	}
	defer log.Close()
	p.command = exec.Command(spec.Command[0], spec.Command[1:]...)
	p.command.Env = append(os.Environ(), spec.Environment...)
	p.command.Stdout, p.command.Stderr = log, log
	p.command.SysProcAttr = &syscall.SysProcAttr{
		Pdeathsig: syscall.SIGKILL,
		// In its own process group it does not get a terminal's Ctrl-C: this program decides when
		// and in which order its children end.
		Setpgid: true,
	}
	if err := onForkingThread(p.command.Start); err != nil {
		return nil, fmt.Errorf("starting %s: %w", spec.Name, err)
	}
	go func() {
		p.err = p.command.Wait()
		close(p.exited)
	}()
	if err := p.waitUntilReady(ctx); err != nil {
		p.Kill()
		return nil, err
	}
	return p, nil
}

// forks passes functions to the thread that forks.
var forks = sync.OnceValue(func() chan<- func() {
	queue := make(chan func())
	go func() {
		runtime.LockOSThread()
		for fork := range queue {
			fork()
		}
	}()
	return queue
})

func onForkingThread(start func() error) error {
	result := make(chan error)
	forks() <- func() { result <- start() }
	return <-result
}

func (p *Process) waitUntilReady(ctx context.Context) error {
	if p.spec.Ready == nil {
		return nil
	}
	asking, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-p.exited:
			cancel()
		case <-asking.Done():
		}
	}()
	ticker := time.NewTicker(readyInterval)
	defer ticker.Stop()
	for {
		err := p.spec.Ready(asking)
		if err == nil {
			return nil
		}
		select {
		case <-p.exited:
			return &ExitError{Name: p.spec.Name, Err: p.err, Tail: p.tail()}
		default:
		}
		select {
		case <-ticker.C:
		case <-asking.Done():
			if ctx.Err() != nil {
				return fmt.Errorf("waiting for %s: %w (%w); its log ends with:\n%s",
					p.spec.Name, context.Cause(ctx), err, p.tail())
			}
		}
	}
}

func (p *Process) tail() string {
	tail, err := Tail(p.spec.Log)
	if err != nil {
		return err.Error()
	}
	return tail
}

// Pid returns the process id. After Exited, it may belong to another process.
func (p *Process) Pid() int { return p.command.Process.Pid }

// Exited returns a channel that is closed when the program has ended, for any reason.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Signal sends a signal, such as SIGSTOP. The error is os.ErrProcessDone if the program has
// ended.
func (p *Process) Signal(signal os.Signal) error { return p.command.Process.Signal(signal) }

// Kill ends the program with SIGKILL and waits for its end. It does nothing if the program has
// ended.
func (p *Process) Kill() {
	// SIGKILL fails only if the program has ended.
	_ = p.Signal(syscall.SIGKILL)
	<-p.exited
}

// Stop ends the program with SIGTERM and waits for its end. It returns an error if the program
// took longer than its grace and was killed, or if it ended otherwise than by SIGTERM or with
// 0. It does nothing if the program has ended before.
func (p *Process) Stop() error {
	select {
	case <-p.exited:
		return nil
	default:
	}
	if err := p.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stopping %s: %w", p.spec.Name, err)
	}
	_ = p.Signal(syscall.SIGCONT) // a stopped program would not handle SIGTERM
	grace := time.NewTimer(p.spec.Grace)
	defer grace.Stop()
	select {
	case <-p.exited:
		return p.unclean()
	case <-grace.C:
		p.Kill()
		return fmt.Errorf("%s did not end within %s of SIGTERM and was killed", p.spec.Name, p.spec.Grace)
	}
}

func (p *Process) unclean() error {
	failure, ok := errors.AsType[*exec.ExitError](p.err)
	if !ok {
		return p.err
	}
	if status, ok := failure.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGTERM {
		return nil
	}
	return fmt.Errorf("stopping %s: %w; its log ends with:\n%s", p.spec.Name, failure, p.tail())
}
