package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// terminalInterval is the interval between updates of the line on a terminal.
	terminalInterval = 200 * time.Millisecond
	// plainInterval is the interval between lines in a file or a pipe.
	plainInterval = 15 * time.Second
	// maxErrorLines is the number of lines of the go command that are kept for an error.
	maxErrorLines = 40
)

// A progress reads the output of the go command and shows how far it is: in one changing
// line on a terminal, and in a new line at intervals elsewhere.
// It may be used by several goroutines.
type progress struct {
	out      io.Writer
	terminal bool
	now      func() time.Time

	mu      sync.Mutex
	state   buildState
	partial []byte
	stop    chan struct{}
	stopped sync.WaitGroup
}

// A buildState is the state of the current build.
type buildState struct {
	name       string
	began      time.Time
	downloaded int
	compiled   int
	packages   int // 0: not known yet
	other      []string
}

func newProgress(out io.Writer) *progress {
	return &progress{out: out, terminal: isTerminal(out), now: time.Now}
}

func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// begin starts showing the build of name, until end.
func (p *progress) begin(name string) {
	p.mu.Lock()
	p.state = buildState{name: name, began: p.now()}
	p.partial = nil
	p.mu.Unlock()
	p.stop = make(chan struct{})
	interval := plainInterval
	if p.terminal {
		interval = terminalInterval
	}
	p.stopped.Go(func() {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case <-p.stop:
				return
			case <-ticker.C:
				p.show(false)
			}
		}
	})
}

// expect sets the number of packages of the build. Packages in the Go build cache are not
// compiled again, so fewer may be counted.
func (p *progress) expect(packages int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state.packages = packages
}

func (p *progress) end() {
	close(p.stop)
	p.stopped.Wait()
	p.show(true)
}

func (p *progress) show(last bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	line := p.state.line(p.now())
	switch {
	case !p.terminal:
		fmt.Fprintln(p.out, line)
	case last:
		fmt.Fprintf(p.out, "\r\x1b[K%s\n", line)
	default:
		fmt.Fprintf(p.out, "\r\x1b[K%s", line)
	}
}

// say writes one line.
func (p *progress) say(format string, values ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.out, format+"\n", values...)
}

// Write takes the standard error of the go command.
func (p *progress) Write(data []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.partial = append(p.partial, data...)
	for {
		line, rest, found := bytes.Cut(p.partial, []byte("\n"))
		if !found {
			return len(data), nil
		}
		p.state.read(string(line))
		p.partial = rest
	}
}

// errorLines returns the lines that are neither about a download nor about a package.
func (p *progress) errorLines() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.state.other)
}

// read reads one line of the go command. With -v the command prints each package that it
// compiles on its own line; no other line is a single word.
func (s *buildState) read(line string) {
	switch {
	case strings.HasPrefix(line, "go: downloading "):
		s.downloaded++
	case line != "" && !strings.ContainsAny(line, " \t"):
		s.compiled++
	default:
		s.other = append(s.other, line)
		s.other = s.other[max(0, len(s.other)-maxErrorLines):]
	}
}

func (s *buildState) line(now time.Time) string {
	parts := []string{}
	if s.downloaded > 0 {
		parts = append(parts, fmt.Sprintf("%d modules downloaded", s.downloaded))
	}
	if s.packages > 0 {
		parts = append(parts, fmt.Sprintf("%d packages compiled of at most %d", s.compiled, s.packages))
	} else {
		parts = append(parts, "reading the modules")
	}
	parts = append(parts, now.Sub(s.began).Round(time.Second).String())
	return "  " + s.name + ": " + strings.Join(parts, ", ")
}
