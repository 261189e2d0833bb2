package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/prometheus/procfs"
)

// ticks is the number of clock ticks in a second, the unit of /proc.
const ticks = 100

// startMeter returns a function that reports the time and the CPU time of the whole cluster
// since the call of startMeter.
func startMeter() (used func() string) {
	begin := time.Now()
	before, errBefore := cpuSeconds()
	return func() string {
		seconds := time.Since(begin).Seconds()
		after, err := cpuSeconds()
		if err := errors.Join(errBefore, err); err != nil {
			return fmt.Sprintf("%6.1fs  (CPU time unknown: %v)", seconds, err)
		}
		return fmt.Sprintf("%6.1fs, %5.1fs CPU", seconds, after-before)
	}
}

// cpuSeconds returns the CPU time of all processes in this program's PID namespace, which
// are the whole cluster, including ended processes that were waited for.
func cpuSeconds() (float64, error) {
	processes, err := procfs.AllProcs()
	if err != nil {
		return 0, err
	}
	sum := 0.0
	for _, p := range processes {
		stat, err := p.Stat()
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // it has just ended
		}
		if err != nil {
			return 0, err
		}
		sum += float64(stat.UTime+stat.STime) + float64(stat.CUTime+stat.CSTime)
	}
	return sum / ticks, nil
}
