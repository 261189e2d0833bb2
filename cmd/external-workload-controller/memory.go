package main

import (
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/go-logr/logr"
)

const (
	// memoryShare is the part of the container's memory that the Go runtime
	// tries to stay within; the rest is for what it does not count.
	memoryShare = 0.9
	// collectAt is by how many percent what is in use may grow until the garbage
	// collector runs, in place of Go's 100. What is in use are caches that change
	// little, so that there is seldom garbage to collect.
	collectAt = 50
	// unlimited is above every real limit: cgroup v1 gives a number near the
	// largest one where there is none.
	unlimited = 1 << 50
)

// memoryLimitFiles tell a container its memory limit, in cgroup v2 and v1.
var memoryLimitFiles = []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}

// limitMemory makes the garbage collector leave less room than usual, unless
// GOGC says otherwise, and work harder before the container's memory runs out,
// unless GOMEMLIMIT does.
func limitMemory(logger logr.Logger) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	for _, file := range memoryLimitFiles {
		content, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if limit, limited := memoryLimit(string(content)); limited {
			debug.SetMemoryLimit(limit)
			logger.Info("Set the memory limit from the container's", "bytes", limit)
		}
		return
	}
}

// memoryLimit returns the runtime's part of a limit as a cgroup file shows it.
func memoryLimit(content string) (int64, bool) {
	limit, err := strconv.ParseInt(strings.TrimSpace(content), 10, 64)
	if err != nil || limit <= 0 || limit >= unlimited {
		return math.MaxInt64, false
	}
	return int64(float64(limit) * memoryShare), true
}
