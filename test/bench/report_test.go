package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func example() report {
	return report{
		Date: time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC), Command: "bench", Commit: "abc", Machine: machine{Processors: 2, Model: "M", Memory: 8, Go: "go1"},
		Rows: []row{
			{Name: "cold start, 2 x 5", Unit: seconds, Measured: 1, Bare: 2, Goal: ratioAtMost(1.25), Note: "by <turns>"},
			{Name: "writes of a restart", Unit: writes, Goal: equal()},
			{Name: "resident memory", Unit: mebibytes, Measured: 70, Floor: 35, Goal: timesFloor(1.5)},
		},
	}
}

func TestTable(t *testing.T) {
	var out strings.Builder
	if err := example().print(&out); err != nil {
		t.Fatal(err)
	}
	want := `2026-01-02 03:04 UTC, commit abc, 2 processors (M), 8 GiB, go1, took 0 s, load 0.0

| what                | measured | bare   | ratio | floor    | ratio | goal                        |        |
| ---                 | ---      | ---    | ---   | ---      | ---   | ---                         | ---    |
| cold start, 2 x 5   | 1.00 s   | 2.00 s | 0.50  |          |       | ratio at most 1.25          | met    |
| writes of a restart | 0        |        |       |          |       | exactly 0                   | met    |
| resident memory     | 70.0 MiB |        |       | 35.0 MiB | 2.00  | at most 1.5 times the floor | missed |

- cold start, 2 x 5: by <turns>
`
	if out.String() != want {
		t.Errorf("table is\n%s\nwant\n%s", out.String(), want)
	}
}

func TestDocumentKeepsWhatIsAroundTheResults(t *testing.T) {
	path := filepath.Join(t.TempDir(), "document.md")
	old := "before\n" + resultsBegin + "old results\n" + resultsEnd + "after\n"
	if err := os.WriteFile(path, []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := example().document(path, filepath.Join(filepath.Dir(path), "charts", "chart.svg")); err != nil {
			t.Fatal(err)
		}
	}
	now, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(now)
	if !strings.HasPrefix(text, "before\n"+resultsBegin) || !strings.HasSuffix(text, resultsEnd+"after\n") ||
		strings.Contains(text, "old results") || !strings.Contains(text, "(charts/chart.svg)") || strings.Count(text, "| resident memory") != 1 {
		t.Errorf("document is\n%s", text)
	}
}

func TestDocumentWithoutAPlaceIsLeft(t *testing.T) {
	path := filepath.Join(t.TempDir(), "document.md")
	if err := os.WriteFile(path, []byte("text\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := example().document(path, filepath.Join(filepath.Dir(path), "charts", "chart.svg")); err == nil {
		t.Error("want an error")
	}
}

func TestChartIsWellFormedAndInsideItsFrame(t *testing.T) {
	decoder := xml.NewDecoder(bytes.NewReader(chart(example())))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if element, ok := token.(xml.StartElement); ok && element.Name.Local == "rect" {
			for _, attribute := range element.Attr {
				if strings.HasPrefix(attribute.Value, "-") {
					t.Errorf("%s is %s", attribute.Name.Local, attribute.Value)
				}
			}
		}
	}
}
