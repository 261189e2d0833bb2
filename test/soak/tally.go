package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"text/tabwriter"
	"time"
)

// tally counts operations and faults. Its methods are safe for concurrent use.
type tally struct {
	mu          sync.Mutex
	began       time.Time
	operations  map[string]int
	faults      map[string]int
	comparisons int
	endpoints   int
	slowest     time.Duration
	writes      int
}

func newTally() *tally {
	return &tally{began: time.Now(), operations: map[string]int{}, faults: map[string]int{}}
}

func (t *tally) operation(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.operations[name]++
}

func (t *tally) fault(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.faults[name]++
}

// comparison records a quiet point: the time until nothing differed, and the numbers of
// endpoints and writes.
func (t *tally) comparison(took time.Duration, endpoints, writes int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.comparisons++
	t.slowest = max(t.slowest, took)
	t.endpoints, t.writes = endpoints, writes
}

func sum(counts map[string]int) int {
	all := 0
	for _, count := range counts {
		all += count
	}
	return all
}

// line returns the progress as one line.
func (t *tally) line() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return fmt.Sprintf("%s: %d operations, %d faults, %d comparisons without difference, %d endpoints published, %d slice writes",
		time.Since(t.began).Round(time.Second), sum(t.operations), sum(t.faults), t.comparisons, t.endpoints, t.writes)
}

// print writes the final table.
func (t *tally) print(to io.Writer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	table := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	for _, part := range []struct {
		name   string
		counts map[string]int
	}{{"operations", t.operations}, {"faults", t.faults}} {
		fmt.Fprintf(table, "%s\t%d\n", part.name, sum(part.counts))
		for _, name := range slices.Sorted(maps.Keys(part.counts)) {
			fmt.Fprintf(table, "  %s\t%d\n", name, part.counts[name])
		}
	}
	fmt.Fprintf(table, "comparisons without difference\t%d\n", t.comparisons)
	fmt.Fprintf(table, "slice changes seen\t%d\n", t.writes)
	fmt.Fprintf(table, "endpoints published at the end\t%d\n", t.endpoints)
	fmt.Fprintf(table, "slowest quiet point\t%s\n", t.slowest.Round(time.Millisecond))
	fmt.Fprintf(table, "duration\t%s\n", time.Since(t.began).Round(time.Second))
	// A closed terminal is no reason to fail.
	_ = table.Flush()
}
