package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// result is the result of one version.
type result struct {
	version string
	at      time.Time
	suites  []outcome // in the order of suites
}

func (r result) failed() bool {
	return slices.ContainsFunc(r.suites, func(o outcome) bool { return len(o.failed) > 0 })
}

// The document has the table and the reasons between two marks. Each line about a version
// begins with the version, so that a run of some versions replaces only their lines.
const (
	beginMark = "<!-- make matrix writes from here -->\n"
	endMark   = "<!-- to here -->\n"
)

// record writes a result into the document.
func record(path string, r result) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	written, err := replace(string(text), r)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, []byte(written), 0o644)
}

func replace(text string, r result) (string, error) {
	before, rest, found := strings.Cut(text, beginMark)
	between, after, ended := strings.Cut(rest, endMark)
	if !found || !ended {
		return "", errors.New("it has no marks for the table")
	}
	var rows, reasons []string
	for line := range strings.Lines(between) {
		switch version := versionOf(line); {
		case version == "" || minor(version) == minor(r.version):
		case strings.HasPrefix(line, "|"):
			rows = append(rows, line)
		default:
			reasons = append(reasons, line)
		}
	}
	rows = append(rows, r.row())
	reasons = append(reasons, r.reasons()...)
	slices.SortStableFunc(rows, byVersion)
	slices.SortStableFunc(reasons, byVersion)
	return before + beginMark + header() + strings.Join(rows, "") + "\n" + strings.Join(reasons, "") + endMark + after, nil
}

func header() string {
	names, lines := "| Kubernetes |", "| --- |"
	for _, s := range suites {
		names += " " + s.name + " tests |"
		lines += " --- |"
	}
	return names + " run on |\n" + lines + " --- |\n"
}

// row returns the version's line of the table.
func (r result) row() string {
	line := "| " + r.version + " |"
	for _, o := range r.suites {
		line += " " + o.String() + " |"
	}
	return line + " " + r.at.UTC().Format(time.DateOnly) + " |\n"
}

// reasons returns the version's lines about skipped tests.
func (r result) reasons() []string {
	var lines []string
	for i, o := range r.suites {
		for _, reason := range o.leftOut {
			lines = append(lines, fmt.Sprintf("- %s, %s: %s\n", r.version, suites[i].name, reason))
		}
	}
	return lines
}

// versionOf returns the version with which a line begins, or empty.
func versionOf(line string) string {
	text := strings.TrimLeft(line, "|- ")
	end := strings.IndexFunc(text, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
	if end <= 0 {
		return ""
	}
	return text[:end]
}

// minor returns the version without its patch.
func minor(version string) string {
	before, _, _ := cutLast(version, ".")
	return before
}

// byVersion orders lines by version, newest first.
func byVersion(a, b string) int {
	parts := func(line string) []int {
		var numbers []int
		for part := range strings.SplitSeq(versionOf(line), ".") {
			number, _ := strconv.Atoi(part) // digits only
			numbers = append(numbers, number)
		}
		return numbers
	}
	return slices.Compare(parts(b), parts(a))
}
