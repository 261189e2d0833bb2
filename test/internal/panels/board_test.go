package panels

import (
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const dashboard = "../../../charts/external-workload-controller/files/monitoring/dashboard.json"

func TestReadTheDashboardOfTheChart(t *testing.T) {
	text, err := os.ReadFile(dashboard)
	if err != nil {
		t.Fatal(err)
	}
	board, err := Read(text)
	if err != nil {
		t.Fatal(err)
	}
	variables := Variables{Job: "j", Range: time.Hour, RateInterval: time.Minute}
	count := 0
	for _, row := range board.Rows {
		for _, panel := range row.Panels {
			if len(panel.Queries) == 0 {
				t.Errorf("%q has no query", panel.Title)
			}
			for _, query := range panel.Queries {
				count++
				if query.Instant != (panel.Kind == Stat) {
					t.Errorf("a query of the %s %q is instant: %t", panel.Kind, panel.Title, query.Instant)
				}
				if _, err := variables.Fill(query); err != nil {
					t.Error(err)
				}
			}
		}
	}
	if want := strings.Count(string(text), `"expr"`) - len(board.Annotations); count != want {
		t.Errorf("%d queries were read, want %d", count, want)
	}
}

func TestRead(t *testing.T) {
	const row = `{"type": "row", "title": "Now", "gridPos": {"h": 1, "w": 24}}`
	tests := map[string]struct {
		text  string
		want  Board
		wrong string
	}{
		"a panel belongs to the row above it": {
			text: `{"title": "Board", "panels": [` + row + `, {"type": "stat", "title": "Leader",
				"gridPos": {"h": 4, "w": 6, "x": 2, "y": 1}, "targets": [{"refId": "A", "expr": "up", "legendFormat": "{{pod}}", "instant": true}],
				"fieldConfig": {"defaults": {"unit": "s", "custom": {"scaleDistribution": {"type": "log"}},
					"thresholds": {"steps": [{"color": "red", "value": null}, {"color": "green", "value": 1}]}}}}]}`,
			want: Board{Title: "Board", Rows: []Row{{Title: "Now", Place: Place{W: 24, H: 1}, Panels: []Panel{{
				Title: "Leader", Kind: Stat, Unit: "s", Logarithmic: true, Place: Place{X: 2, Y: 1, W: 6, H: 4},
				Steps:   []Step{{math.Inf(-1), "red"}, {1, "green"}},
				Queries: []Query{{Name: "A", Expr: "up", Legend: "{{pod}}", Instant: true}},
			}}}}},
		},
		"annotations are queries too": {
			text: `{"annotations": {"list": [{"name": "Restart", "expr": "changes(up)"}]}}`,
			want: Board{Annotations: []Query{{Name: "Restart", Expr: "changes(up)"}}},
		},
		"a duplicate title":           {text: `{"panels": [` + row + `,` + row + `]}`, wrong: `two panels have the title "Now"`},
		"a panel above the first row": {text: `{"panels": [{"type": "stat", "title": "Alone"}]}`, wrong: `"Alone" is in no row`},
		"a panel of an unknown type":  {text: `{"panels": [` + row + `, {"type": "pie", "title": "Cake"}]}`, wrong: `unknown type "pie"`},
		"an invalid dashboard":        {text: `[]`, wrong: "reading the dashboard"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Read([]byte(test.text))
			if test.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), test.wrong) {
					t.Errorf("the error is %v, want one with %q", err, test.wrong)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestFill(t *testing.T) {
	variables := Variables{Job: "metrics", Range: 90 * time.Second, RateInterval: 1500 * time.Millisecond}
	tests := map[string]struct{ expr, want string }{
		"all variables":       {`rate(a{job="$job"}[$__rate_interval]) / rate(b[$__range])`, `rate(a{job="metrics"}[2s]) / rate(b[90s])`},
		"no variable":         {`vector(0)`, `vector(0)`},
		"an unknown variable": {`up{namespace="$namespace"}`, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := variables.Fill(Query{Expr: test.expr})
			if got != test.want || (err == nil) != (test.want != "") {
				t.Errorf("Fill gives %q, %v; want %q", got, err, test.want)
			}
		})
	}
}

func TestNamesOfSeries(t *testing.T) {
	labels := map[string]string{"operation": "create", "outcome": "success"}
	for legend, want := range map[string]string{
		"{{operation}} {{ outcome }}": "create success",
		"p99":                         "p99",
		"{{reason}} {{operation}}":    "create",
		"":                            "",
	} {
		if got := (Query{Legend: legend}).Series(labels); got != want {
			t.Errorf("%q names it %q, want %q", legend, got, want)
		}
	}
}
