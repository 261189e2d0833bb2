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
	// memoryShare is the soft memory limit of the Go runtime as a part of the
	// container's limit; the rest is for memory that the runtime does not count.
	memoryShare = 0.9
	// collectAt is the garbage collection target percentage, instead of Go's 100. Most
	// memory is in caches that change little, so there is rarely garbage to collect.
	collectAt = 50
	// unlimited is larger than every real limit: without a limit, cgroup v1 returns a
	// number near the maximum.
	unlimited = 1 << 50
)

// memoryLimitFiles contain the container's memory limit, in cgroup v2 and v1.
var memoryLimitFiles = []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}

// limitMemory makes the garbage collector run earlier than by default, unless GOGC is
// set, and sets a soft memory limit below the container's, unless GOMEMLIMIT is set.
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
