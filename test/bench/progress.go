package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	barWidth    = 40
	barInterval = 100 * time.Millisecond
	// plainSteps is the number of lines that replace a bar without a terminal.
	plainSteps = 4
)

// console is where the program writes its progress.
type console struct {
	out      io.Writer
	terminal bool
}

func newConsole(file *os.File) *console {
	info, err := file.Stat()
	return &console{out: file, terminal: err == nil && info.Mode()&os.ModeCharDevice != 0}
}

// say writes a line.
func (c *console) say(format string, arguments ...any) {
	fmt.Fprintf(c.out, time.Now().Format("15:04:05 ")+format+"\n", arguments...)
}

// bar shows progress. Its methods are safe for concurrent use.
type bar struct {
	console *console
	what    string
	total   int
	begin   time.Time

	mu    sync.Mutex
	done  int
	shown time.Time
}

func (c *console) bar(what string, total int) *bar {
	return &bar{console: c, what: what, total: total, begin: time.Now()}
}

// step counts one more.
func (b *bar) step() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done++
	switch {
	case b.console.terminal:
		if b.done == b.total || time.Since(b.shown) >= barInterval {
			b.shown = time.Now()
			b.draw()
		}
	case b.done*plainSteps/b.total != (b.done-1)*plainSteps/b.total:
		b.console.say("%s: %d of %d, %.0f/s", b.what, b.done, b.total, b.rate())
	}
}

func (b *bar) draw() {
	full := barWidth * b.done / b.total
	fmt.Fprintf(b.console.out, "\r%s [%s%s] %d of %d, %.0f/s ", b.what,
		strings.Repeat("#", full), strings.Repeat(".", barWidth-full), b.done, b.total, b.rate())
	if b.done == b.total {
		fmt.Fprintln(b.console.out)
	}
}

func (b *bar) rate() float64 { return float64(b.done) / max(time.Since(b.begin).Seconds(), 1e-3) }
