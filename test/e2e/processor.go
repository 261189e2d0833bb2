package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/prometheus/procfs"
)

// ticks of the kernel's clock that /proc counts in are a second.
const ticks = 100

// startMeter begins now; the returned function reports the time since and the CPU time
// that the whole cluster has used.
func startMeter() (used func() string) {
	begin := time.Now()
	before, errBefore := processorSeconds()
	return func() string {
		seconds := time.Since(begin).Seconds()
		after, err := processorSeconds()
		if err := errors.Join(errBefore, err); err != nil {
			return fmt.Sprintf("%6.1fs  (CPU time unknown: %v)", seconds, err)
		}
		return fmt.Sprintf("%6.1fs, %5.1fs of processors", seconds, after-before)
	}
}

// processorSeconds returns the CPU time of all processes in this program's
// namespace of processes, which are the whole cluster, and of those that have
// ended there and were waited for.
func processorSeconds() (float64, error) {
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
