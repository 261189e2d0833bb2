package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestProgressCountsWhatTheGoCommandWrites(t *testing.T) {
	var out strings.Builder
	synctest.Test(t, func(t *testing.T) {
		p := newProgress(&out)
		p.begin("etcd")
		fmt.Fprint(p, "go: downloading example.test/a v1.0.0\ngo: downl")
		fmt.Fprint(p, "oading example.test/b v1.0.0\n")
		time.Sleep(plainInterval + time.Second)
		p.expect(500)
		fmt.Fprint(p, "example.test/a\nexample.test/a/b\n# example.test/c\nc.go:1:1: a mistake\n")
		p.end()
		if want := []string{"# example.test/c", "c.go:1:1: a mistake"}; !slices.Equal(p.errorLines(), want) {
			t.Errorf("error lines are %q, want %q", p.errorLines(), want)
		}
	})
	want := "  etcd: 2 modules downloaded, reading the modules, 15s\n" +
		"  etcd: 2 modules downloaded, 2 packages compiled of at most 500, 16s\n"
	if out.String() != want {
		t.Errorf("shown:\n%swant:\n%s", out.String(), want)
	}
}

func TestProgressDrawsOneLineOnATerminal(t *testing.T) {
	var out strings.Builder
	synctest.Test(t, func(t *testing.T) {
		p := newProgress(&out)
		p.terminal = true
		p.begin("etcd")
		time.Sleep(terminalInterval + time.Millisecond)
		p.end()
	})
	if drawn := strings.Count(out.String(), "\r\x1b[K"); drawn != 2 || strings.Count(out.String(), "\n") != 1 {
		t.Errorf("drew %q, want one line drawn twice", out.String())
	}
}

func TestErrorLinesAreBounded(t *testing.T) {
	p := newProgress(io.Discard)
	for line := range 3 * maxErrorLines {
		fmt.Fprintf(p, "line %d\n", line)
	}
	got := p.errorLines()
	if len(got) != maxErrorLines || got[maxErrorLines-1] != fmt.Sprintf("line %d", 3*maxErrorLines-1) {
		t.Errorf("kept %d lines up to %q, want the last %d", len(got), got[len(got)-1], maxErrorLines)
	}
}
