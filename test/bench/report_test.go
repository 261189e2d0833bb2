package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"html"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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

func TestTableHasColumnsForAnEarlierBuild(t *testing.T) {
	r := report{Rows: []row{
		{Name: "cold start", Unit: seconds, Measured: 1, Bare: 2, Earlier: 4, Goal: ratioAtMost(1.25)},
		{Name: "writes of a restart", Unit: writes, Goal: equal()},
	}}
	want := [][]string{
		{"what", "measured", "bare", "ratio", "floor", "ratio", "earlier", "ratio", "goal", ""},
		{"---", "---", "---", "---", "---", "---", "---", "---", "---", "---"},
		{"cold start", "1.00 s", "2.00 s", "0.50", "", "", "4.00 s", "0.25", "ratio at most 1.25", "met"},
		{"writes of a restart", "0", "", "", "", "", "", "", "exactly 0", "met"},
	}
	if diff := cmp.Diff(want, r.cells()); diff != "" {
		t.Error(diff)
	}
}

func TestRowsHaveTheMedianOfEachContender(t *testing.T) {
	took := func(milliseconds int) turn {
		return turn{slow: watched{courseRun: courseRun{took: []time.Duration{time.Duration(milliseconds) * time.Millisecond}}}}
	}
	rounds := []turns{
		{controller: took(3), earlier: took(6), bare: took(2), floor: took(1)},
		{controller: took(9), earlier: took(5), bare: took(8), floor: took(2)},
		{controller: took(4), earlier: took(7), bare: took(3), floor: took(9)},
	}
	want := row{Measured: 4, Earlier: 6, Bare: 3, Floor: 2}
	if diff := cmp.Diff(want, row{}.compare(rounds, slowPercentile(50))); diff != "" {
		t.Error(diff)
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

// charted has the rows that the chart shows.
func charted() report {
	r := example()
	for _, name := range []string{
		"process start to everything published, 2000 x 5", "cold start, 2000 x 5",
		"change of readiness, 50 a second, p50", "CPU time of a change", "resident memory, 10000 workloads",
	} {
		r.Rows = append(r.Rows, row{Name: name, Unit: milliseconds, Measured: 4, Bare: 2, Floor: 3})
	}
	return r
}

func TestChartIsWellFormedAndInsideItsFrame(t *testing.T) {
	picture, err := chart(charted())
	if err != nil {
		t.Fatal(err)
	}
	decoder := xml.NewDecoder(bytes.NewReader(picture))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
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
	for _, label := range []string{"this controller", "floor", "bare API", "Linkerd", "16 s", "50 s"} {
		if !strings.Contains(html.UnescapeString(string(picture)), label) {
			t.Errorf("the chart has no %q", label)
		}
	}
}

func TestChartNeedsWhatItShows(t *testing.T) {
	if _, err := chart(example()); err == nil || !strings.Contains(err.Error(), "--size=full") {
		t.Errorf("error is %v, want one that names the size to measure", err)
	}
}

func TestDecadesContainAllValues(t *testing.T) {
	for sentence, c := range map[string]struct {
		values      []float64
		first, last int
	}{
		"between powers of ten": {[]float64{3, 250}, 0, 3},
		"powers of ten":         {[]float64{1, 100}, 0, 2},
		"one value":             {[]float64{10}, 1, 2},
		"below one":             {[]float64{0.8, 43}, -1, 2},
	} {
		t.Run(sentence, func(t *testing.T) {
			var p panel
			for _, value := range c.values {
				p.figures = append(p.figures, figure{value: value})
			}
			if first, last := p.decades(); first != c.first || last != c.last {
				t.Errorf("decades are %d to %d, want %d to %d", first, last, c.first, c.last)
			}
		})
	}
}
