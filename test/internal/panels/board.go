package panels

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"
)

// A Board is the part of a dashboard that is needed to run its queries and to draw it.
type Board struct {
	Title string
	// Rows are in the order of the file. Every panel is in a row.
	Rows []Row
	// Annotations are the queries of marks across all panels.
	Annotations []Query
}

// A Row is a heading with the panels below it.
type Row struct {
	Title  string
	Place  Place
	Panels []Panel
}

// A Kind is the type of a panel.
type Kind string

const (
	// Stat shows the last value.
	Stat Kind = "stat"
	// TimeSeries shows a line for each series.
	TimeSeries Kind = "timeseries"
)

// A Panel shows the results of its queries. Its title is unique on the board.
type Panel struct {
	Title string
	Kind  Kind
	// Unit is one of Grafana's names for units, such as "s" or "reqps".
	Unit string
	// Logarithmic is true for a logarithmic axis of values.
	Logarithmic bool
	// Steps are the colors of a number, from the lowest value up.
	Steps   []Step
	Place   Place
	Queries []Query
}

// A Step is the color from a value on.
type Step struct {
	From  float64
	Color string
}

// A Place is a rectangle on Grafana's grid, which is 24 columns wide.
type Place struct{ X, Y, W, H int }

// A Query is a PromQL query with Grafana's variables.
type Query struct {
	// Name is the letter of the query in its panel, or the name of an annotation.
	Name string
	Expr string
	// Legend is the name of each series, with its labels in double braces.
	Legend string
	// Instant is true for an instant query, and false for a range query.
	Instant bool
}

// Variables are the values of Grafana's variables.
type Variables struct {
	Job          string
	Range        time.Duration
	RateInterval time.Duration
}

// Fill returns the query with its variables replaced. An unknown variable is an error.
func (v Variables) Fill(query Query) (string, error) {
	filled := strings.NewReplacer(
		"$__rate_interval", duration(v.RateInterval),
		"$__range", duration(v.Range),
		"$job", v.Job,
	).Replace(query.Expr)
	if strings.Contains(filled, "$") {
		return "", fmt.Errorf("a variable of %s is unknown", query.Expr)
	}
	return filled, nil
}

// duration formats whole seconds like Prometheus.
func duration(d time.Duration) string { return fmt.Sprintf("%.0fs", math.Ceil(d.Seconds())) }

// Read reads a dashboard. It refuses panels above the first row, unknown types of panels, and
// duplicate titles.
func Read(text []byte) (Board, error) {
	var file struct {
		Title       string      `json:"title"`
		Panels      []panelFile `json:"panels"`
		Annotations struct {
			List []struct{ Name, Expr string } `json:"list"`
		} `json:"annotations"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return Board{}, fmt.Errorf("reading the dashboard: %w", err)
	}
	board := Board{Title: file.Title}
	titles := map[string]bool{}
	for _, p := range file.Panels {
		if titles[p.Title] {
			return Board{}, fmt.Errorf("two panels have the title %q", p.Title)
		}
		titles[p.Title] = true
		if p.Type == "row" {
			board.Rows = append(board.Rows, Row{Title: p.Title, Place: p.GridPos})
			continue
		}
		if len(board.Rows) == 0 || (p.Type != Stat && p.Type != TimeSeries) {
			return Board{}, fmt.Errorf("panel %q is in no row, or of the unknown type %q", p.Title, p.Type)
		}
		row := &board.Rows[len(board.Rows)-1]
		row.Panels = append(row.Panels, p.panel())
	}
	for _, annotation := range file.Annotations.List {
		board.Annotations = append(board.Annotations, Query{Name: annotation.Name, Expr: annotation.Expr})
	}
	return board, nil
}

// panelFile is a panel in the file.
type panelFile struct {
	Title       string   `json:"title"`
	Type        Kind     `json:"type"`
	GridPos     Place    `json:"gridPos"`
	Targets     []target `json:"targets"`
	FieldConfig struct {
		Defaults struct {
			Unit       string `json:"unit"`
			Thresholds struct {
				Steps []struct {
					Value *float64 `json:"value"`
					Color string   `json:"color"`
				} `json:"steps"`
			} `json:"thresholds"`
			Custom struct {
				ScaleDistribution struct {
					Type string `json:"type"`
				} `json:"scaleDistribution"`
			} `json:"custom"`
		} `json:"defaults"`
	} `json:"fieldConfig"`
}

func (p panelFile) panel() Panel {
	defaults := p.FieldConfig.Defaults
	panel := Panel{
		Title: p.Title, Kind: p.Type, Unit: defaults.Unit, Place: p.GridPos,
		Logarithmic: defaults.Custom.ScaleDistribution.Type == "log",
	}
	for _, t := range p.Targets {
		panel.Queries = append(panel.Queries, t.query())
	}
	for _, s := range defaults.Thresholds.Steps {
		step := Step{From: math.Inf(-1), Color: s.Color} // no value: from minus infinity
		if s.Value != nil {
			step.From = *s.Value
		}
		panel.Steps = append(panel.Steps, step)
	}
	return panel
}

type target struct {
	RefID        string `json:"refId"`
	Expr         string `json:"expr"`
	LegendFormat string `json:"legendFormat"`
	Instant      bool   `json:"instant"`
}

func (t target) query() Query {
	return Query{Name: t.RefID, Expr: t.Expr, Legend: t.LegendFormat, Instant: t.Instant}
}
