package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/prometheus/procfs"

	"github.com/external-workload/controller/test/internal/controlplane"
)

// A report is the results and their circumstances.
type report struct {
	Date    time.Time `json:"date"`
	Command string    `json:"command"`
	Commit  string    `json:"commit"`
	Machine machine   `json:"machine"`
	// Seconds is the duration of the run.
	Seconds float64 `json:"seconds"`
	Rows    []row   `json:"rows"`
}

// machine describes the machine of the run.
type machine struct {
	Processors int     `json:"processors"`
	Model      string  `json:"model"`
	Memory     float64 `json:"memoryGiB"`
	Go         string  `json:"go"`
	// Load is the load average at the end, including the run.
	Load float64 `json:"load"`
}

// report prints the table and writes the files.
func (b *bench) report(ctx context.Context) error {
	r := report{
		Date: b.begin.UTC().Truncate(time.Second), Seconds: time.Since(b.begin).Round(time.Second).Seconds(),
		Command: "go -C test run ./bench " + strings.Join(withoutFiles(os.Args[1:]), " "),
		Commit:  commit(ctx), Machine: thisMachine(), Rows: b.rows,
	}
	var errs []error
	if b.options.json != "" {
		text, err := json.MarshalIndent(r, "", "  ")
		errs = append(errs, err, write(b.options.json, append(text, '\n')))
	}
	if b.options.chart != "" {
		picture, err := chart(r)
		if err == nil {
			err = write(b.options.chart, picture)
		}
		errs = append(errs, err)
	}
	if b.options.document != "" {
		errs = append(errs, r.document(b.options.document, b.options.chart))
	}
	return errors.Join(append(errs, r.print(os.Stdout))...)
}

// The marks between which a document shows the results.
const (
	resultsBegin = "<!-- results: begin -->\n"
	resultsEnd   = "<!-- results: end -->\n"
)

// document replaces the results in a document, with the chart if there is one. The chart
// is in the document's folder or below.
func (r report) document(path, chart string) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	head, rest, begins := strings.Cut(string(old), resultsBegin)
	_, tail, ends := strings.Cut(rest, resultsEnd)
	if !begins || !ends {
		return fmt.Errorf("%s has no place for results: the lines %q and %q", path, resultsBegin, resultsEnd)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s%s\n`%s`\n\n", head, resultsBegin, r.Command)
	if err := r.print(&text); err != nil {
		return err
	}
	if chart != "" {
		beside, err := filepath.Rel(filepath.Dir(path), chart)
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "\n![This controller beside the floor, the bare API and two other controllers](%s)\n", filepath.ToSlash(beside))
	}
	return os.WriteFile(path, []byte(text.String()+"\n"+resultsEnd+tail), 0o644)
}

// print writes the table as Markdown, with aligned columns.
func (r report) print(out io.Writer) error {
	m := r.Machine
	fmt.Fprintf(out, "%s, commit %s, %d processors (%s), %.0f GiB, %s, took %.0f s, load %.1f\n\n",
		r.Date.Format("2006-01-02 15:04 MST"), r.Commit, m.Processors, m.Model, m.Memory, m.Go, r.Seconds, m.Load)
	table := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	for _, cells := range r.cells() {
		fmt.Fprintf(table, "| %s\t|\n", strings.Join(cells, "\t| "))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out)
	for _, row := range r.Rows {
		if row.Note != "" {
			fmt.Fprintf(out, "- %s: %s\n", row.Name, row.Note)
		}
	}
	return nil
}

// cells are the lines of the table. It has columns for an earlier build if there was one.
func (r report) cells() [][]string {
	head := []string{"what", "measured", "bare", "ratio", "floor", "ratio"}
	earlier := slices.ContainsFunc(r.Rows, func(row row) bool { return row.Earlier > 0 })
	if earlier {
		head = append(head, "earlier", "ratio")
	}
	head = append(head, "goal", "")
	lines := [][]string{head, slices.Repeat([]string{"---"}, len(head))}
	for _, row := range r.Rows {
		bare, toBare := row.compared(row.Bare)
		floor, toFloor := row.compared(row.Floor)
		line := []string{row.Name, row.Unit.text(row.Measured), bare, toBare, floor, toFloor}
		if earlier {
			other, toEarlier := row.compared(row.Earlier)
			line = append(line, other, toEarlier)
		}
		lines = append(lines, append(line, row.goalText(), row.result()))
	}
	return lines
}

func write(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o644)
}

// withoutFiles drops the flags that name files, which do not affect results.
func withoutFiles(arguments []string) []string {
	return slices.DeleteFunc(slices.Clone(arguments), func(argument string) bool {
		return slices.ContainsFunc([]string{"--json=", "--chart=", "--document=", "--profiles=", "--controller=", "--earlier="}, func(flag string) bool {
			return strings.HasPrefix(argument, flag)
		})
	})
}

// commit returns the checked-out commit, marked if files differ from it.
func commit(ctx context.Context) string {
	root, err := controlplane.RepositoryRoot()
	if err != nil {
		return "unknown"
	}
	text, err := exec.CommandContext(ctx, "git", "-C", root, "describe", "--always", "--dirty").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(text))
}

// thisMachine omits what the operating system does not report.
func thisMachine() machine {
	m := machine{Processors: runtime.NumCPU(), Go: runtime.Version()}
	proc, err := procfs.NewDefaultFS()
	if err != nil {
		return m
	}
	if cpus, err := proc.CPUInfo(); err == nil && len(cpus) > 0 {
		m.Model = cpus[0].ModelName
	}
	if memory, err := proc.Meminfo(); err == nil && memory.MemTotalBytes != nil {
		m.Memory = float64(*memory.MemTotalBytes) / (1 << 30)
	}
	if load, err := proc.LoadAvg(); err == nil {
		m.Load = load.Load1
	}
	return m
}
