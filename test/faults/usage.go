package faults

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Usage is the resource usage of a process.
type Usage struct {
	// Resident and Peak are the current and maximum resident memory in bytes.
	Resident, Peak int64
	// Descriptors is the number of open file descriptors.
	Descriptors int
}

// UsageOf reads the resource usage of a process from the operating system.
func UsageOf(pid int) (Usage, error) {
	folder := "/proc/" + strconv.Itoa(pid)
	status, err := os.ReadFile(folder + "/status")
	if err != nil {
		return Usage{}, fmt.Errorf("reading what process %d uses: %w", pid, err)
	}
	descriptors, err := os.ReadDir(folder + "/fd")
	if err != nil {
		return Usage{}, fmt.Errorf("counting the descriptors of process %d: %w", pid, err)
	}
	return Usage{
		Resident:    kilobytes(string(status), "VmRSS:") << 10,
		Peak:        kilobytes(string(status), "VmHWM:") << 10,
		Descriptors: len(descriptors),
	}, nil
}

// kilobytes returns the value of a line such as "VmRSS:  1234 kB", or 0 if it is missing.
func kilobytes(status, name string) int64 {
	for line := range strings.Lines(status) {
		fields := strings.Fields(line)
		if len(fields) != 3 || fields[0] != name {
			continue
		}
		if value, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
			return value
		}
	}
	return 0
}
