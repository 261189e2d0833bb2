package faults

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// MemoryGroup is a cgroup with a memory limit, like that of a container.
type MemoryGroup struct {
	// folder is the path of the cgroup, and root the path at which a process in a container
	// sees it.
	folder, root string
	files        memoryFiles
}

// memoryFiles are the names of a cgroup's files, in one of its two versions.
type memoryFiles struct{ limit, peak, events string }

var (
	memoryFilesV1 = memoryFiles{limit: "memory.limit_in_bytes", peak: "memory.max_usage_in_bytes", events: "memory.oom_control"}
	memoryFilesV2 = memoryFiles{limit: "memory.max", peak: "memory.peak", events: "memory.events"}
)

// NewMemoryGroup makes a cgroup with a memory limit in bytes. It needs root and writable
// cgroups; the error says what is missing. Remove deletes the cgroup.
func NewMemoryGroup(limit int64) (*MemoryGroup, error) {
	g, err := findMemory()
	if err != nil {
		return nil, err
	}
	if g.folder, err = os.MkdirTemp(g.root, "faults-"); err != nil {
		return nil, fmt.Errorf("making a cgroup: %w", err)
	}
	if err := errors.Join(g.write(g.files.limit, strconv.FormatInt(limit, 10)), g.try()); err != nil {
		return nil, errors.Join(err, g.Remove())
	}
	return g, nil
}

// findMemory finds the cgroup hierarchy that limits memory.
func findMemory() (*MemoryGroup, error) {
	const v2, v1 = "/sys/fs/cgroup", "/sys/fs/cgroup/memory"
	if _, err := os.Stat(filepath.Join(v1, memoryFilesV1.limit)); err == nil {
		return &MemoryGroup{root: v1, files: memoryFilesV1}, nil
	}
	controllers, err := os.ReadFile(filepath.Join(v2, "cgroup.subtree_control"))
	if err != nil {
		return nil, fmt.Errorf("looking for cgroups: %w", err)
	}
	for controller := range strings.FieldsSeq(string(controllers)) {
		if controller == "memory" {
			return &MemoryGroup{root: v2, files: memoryFilesV2}, nil
		}
	}
	return nil, errors.New("the cgroups of this machine do not limit memory")
}

// Prefix returns a command prefix that starts a command in the cgroup, where the command
// sees the cgroup at the same path as in a Pod. The shell execs the command.
func (g *MemoryGroup) Prefix() []string {
	const enter = `echo $$ >"$1/cgroup.procs" && mount --bind "$1" "$2" && shift 2 && exec "$@"`
	return []string{"unshare", "--mount", "sh", "-ec", enter, "sh", g.folder, g.root}
}

// try runs a command that does nothing in the cgroup.
func (g *MemoryGroup) try() error {
	command := append(g.Prefix(), "true")
	if output, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("entering a cgroup: %w: %s", err, bytes.TrimSpace(output))
	}
	return nil
}

// Kills returns the number of processes that the kernel has OOM-killed.
func (g *MemoryGroup) Kills() (int, error) {
	content, err := g.read(g.files.events)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(content) {
		if name, count, found := strings.Cut(strings.TrimSpace(line), " "); found && name == "oom_kill" {
			return strconv.Atoi(count)
		}
	}
	return 0, fmt.Errorf("%s of %s counts no oom_kill", g.files.events, g.folder)
}

// Peak returns the peak memory in bytes, including page cache, which the kernel would
// reclaim first.
func (g *MemoryGroup) Peak() (int64, error) {
	content, err := g.read(g.files.peak)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(content), 10, 64)
}

// Remove deletes the cgroup after its processes have ended. A killed process leaves it a
// moment later.
func (g *MemoryGroup) Remove() error {
	const tries, pause = 100, 50 * time.Millisecond
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	var err error
	for range tries {
		if err = os.Remove(g.folder); err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		<-ticker.C
	}
	return fmt.Errorf("removing a cgroup: %w", err)
}

func (g *MemoryGroup) read(name string) (string, error) {
	content, err := os.ReadFile(filepath.Join(g.folder, name))
	if err != nil {
		return "", fmt.Errorf("reading a cgroup: %w", err)
	}
	return string(content), nil
}

func (g *MemoryGroup) write(name, content string) error {
	if err := os.WriteFile(filepath.Join(g.folder, name), []byte(content), 0o600); err != nil {
		return fmt.Errorf("setting a cgroup: %w", err)
	}
	return nil
}
