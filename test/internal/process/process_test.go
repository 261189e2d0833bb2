package process_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/external-workload/controller/test/internal/process"
)

// actAsParent makes the test binary a program that starts a child, prints its pid and waits,
// so that the test can kill it.
const actAsParent = "PROCESS_TEST_ACT_AS_PARENT"

func TestMain(m *testing.M) {
	if log := os.Getenv(actAsParent); log != "" {
		child, err := process.Start(context.Background(), process.Spec{Name: "sleep", Command: []string{"sleep", "600"}, Log: log})
		if err != nil {
			panic(err)
		}
		fmt.Println(child.Pid())
		select {}
	}
	os.Exit(m.Run())
}

func TestAChildEndsWhenItsParentIsKilled(t *testing.T) {
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), actAsParent+"="+filepath.Join(t.TempDir(), "log"))
	output, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	waitUntilGone(t, pid)
}

func TestAChildOutlivesTheThreadOfItsCaller(t *testing.T) {
	// Two concurrent callers have two threads. At most one of these is the program's first
	// thread, which does not end.
	const callers = 2
	started, end := make(chan *process.Process), make(chan struct{})
	for range callers {
		go func() {
			runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
			started <- start(t, process.Spec{Command: []string{"sleep", "600"}})
			<-end
		}()
	}
	children := []*process.Process{<-started, <-started}
	close(end)
	select {
	case <-children[0].Exited():
		t.Error("the first child ended with the thread of its caller")
	case <-children[1].Exited():
		t.Error("the second child ended with the thread of its caller")
	case <-time.After(300 * time.Millisecond):
	}
}

func TestStop(t *testing.T) {
	cases := map[string]struct {
		script, wantError string
		pause             bool
	}{
		"a program that SIGTERM ends":           {script: `echo up; exec sleep 600`},
		"a program that ends with 0 on SIGTERM": {script: `trap "exit 0" TERM; echo up; while :; do sleep 0.05; done`},
		"a program that fails on SIGTERM":       {script: `trap "echo broken; exit 3" TERM; echo up; while :; do sleep 0.05; done`, wantError: "exit status 3; its log ends with:\nup\nbroken"},
		"a program that ignores SIGTERM":        {script: `trap "" TERM; echo up; while :; do sleep 0.05; done`, wantError: "was killed"},
		"a program that is paused by SIGSTOP":   {script: `echo up; exec sleep 600`, pause: true},
		"a program that has already ended":      {script: `echo up`},
	}
	for sentence, c := range cases {
		t.Run(sentence, func(t *testing.T) {
			spec := logged(t, process.Spec{Command: []string{"sh", "-c", c.script}, Grace: 500 * time.Millisecond})
			spec.Ready = func(context.Context) error { return logHas(spec.Log, "up") }
			child := start(t, spec)
			if c.pause {
				if err := child.Signal(syscall.SIGSTOP); err != nil {
					t.Fatal(err)
				}
			}
			err := child.Stop()
			if c.wantError == "" && err != nil || c.wantError != "" && (err == nil || !strings.Contains(err.Error(), c.wantError)) {
				t.Errorf("error is %v, want one with %q", err, c.wantError)
			}
			waitUntilGone(t, child.Pid())
		})
	}
}

func TestAProgramThatEndsBeforeItIsReadyShowsItsLog(t *testing.T) {
	_, err := process.Start(t.Context(), logged(t, process.Spec{
		Command: []string{"sh", "-c", "echo address already in use; exit 7"},
		Ready:   func(context.Context) error { return errors.New("not yet") },
	}))
	exit, ok := errors.AsType[*process.ExitError](err)
	if !ok || exit.Tail != "address already in use" || !strings.Contains(err.Error(), "exit status 7") {
		t.Errorf("error is %v, want an ExitError with status 7 and the log", err)
	}
}

func TestAProgramThatIsNotReadyInTimeIsKilled(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	notYet := errors.New("not yet")
	_, err := process.Start(ctx, logged(t, process.Spec{
		Command: []string{"sleep", "600"},
		Ready:   func(context.Context) error { return notYet },
	}))
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, notYet) {
		t.Errorf("error is %v, want the deadline and the last readiness error", err)
	}
}

func TestTailIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte(strings.Repeat("an old line\n", 100_000)+"the last line\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tail, err := process.Tail(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(tail, "\n")
	if len(lines) != 30 || lines[29] != "the last line" {
		t.Errorf("tail has %d lines and ends with %q", len(lines), lines[len(lines)-1])
	}
}

func logged(t *testing.T, spec process.Spec) process.Spec {
	t.Helper()
	spec.Name = "child"
	spec.Log = filepath.Join(t.TempDir(), "log")
	return spec
}

func start(t *testing.T, spec process.Spec) *process.Process {
	t.Helper()
	if spec.Log == "" {
		spec = logged(t, spec)
	}
	child, err := process.Start(t.Context(), spec)
	if err != nil {
		t.Error(err)
		runtime.Goexit()
	}
	t.Cleanup(child.Kill)
	return child
}

func logHas(path, text string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !strings.Contains(string(data), text) {
		return errors.New("not in the log yet")
	}
	return nil
}

// waitUntilGone waits until no process has the pid. A zombie counts as gone.
func waitUntilGone(t *testing.T, pid int) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(status), ") Z ") {
			return
		}
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("process %d still exists: %s", pid, status)
		}
	}
}
