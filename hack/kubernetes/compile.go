package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// buildEnvironment is set for every build, so that binaries need no C library
// and the reader's workspace does not take part.
var buildEnvironment = []string{"CGO_ENABLED=0", "GOWORK=off"}

// endGrace is the time that the go command has to exit after an interrupt.
const endGrace = 10 * time.Second

// A compiler builds one component after the other with the go command.
type compiler struct {
	// modfile is the go.mod that decides which version is built.
	modfile  string
	flags    []string
	progress *progress
}

// compile shows its progress: first it downloads modules, then it compiles packages. It
// leaves the binary at output.
func (c compiler) compile(ctx context.Context, wanted component, output string) error {
	c.progress.begin(wanted.name)
	defer c.progress.end()

	var packages bytes.Buffer
	if err := c.goCommand(ctx, &packages, "list", "-modfile="+c.modfile, "-deps", wanted.pkg); err != nil {
		return err
	}
	c.progress.expect(bytes.Count(packages.Bytes(), []byte("\n")))

	arguments := append([]string{"build", "-modfile=" + c.modfile, "-v"}, c.flags...)
	return c.goCommand(ctx, io.Discard, append(arguments, "-o", output, wanted.pkg)...)
}

// goCommand runs go in a process group of its own, so that its compilers end
// with it, regardless of who sent the signal that ends this program.
func (c compiler) goCommand(ctx context.Context, stdout io.Writer, arguments ...string) error {
	command := exec.CommandContext(ctx, "go", arguments...)
	command.Env = append(os.Environ(), buildEnvironment...)
	command.Stdout, command.Stderr = stdout, c.progress
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGINT) }
	command.WaitDelay = endGrace
	err := command.Run()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("go %s: %w\n%s", arguments[0], err, strings.Join(c.progress.errorLines(), "\n"))
	}
	return nil
}
