package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/external-workload/controller/test/panels"
)

const (
	// rateInterval is the one that Grafana would take: four scrapes at the least.
	// It is longer, so that the lines of the picture are smooth.
	rateInterval = 10 * scrapeInterval
	// graphStep is the time between two points.
	graphStep = 2 * time.Second
	// afterTrouble is ample for the next two scrapes.
	afterTrouble = 20 * time.Second
)

// silent are the queries of the dashboard that have no series in this run, by
// their panel and name, and why that is right.
var silent = map[string]string{
	"Failed syncs B":                         "nothing panics",
	"Wait for the client's own limit, p99 A": "the client limits itself only where kubeAPI.qps is set",
}

// dashboardHasData asks every query of the dashboard as Grafana would: for now,
// or for the time since Prometheus runs. All but the silent ones have data, and
// those have none.
func dashboardHasData(ctx context.Context, c *cluster) error {
	board, err := c.dashboard()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, afterTrouble)
	defer cancel()
	asked := 0
	if err := until(ctx, func(ctx context.Context) error {
		now := time.Now()
		asked, err = judge(board, silent, func(query panels.Query) ([]panels.Series, error) { return c.series(ctx, query, now) })
		return err
	}); err != nil {
		return err
	}
	c.note("%d queries have data, %d have none and should not", asked-len(silent), len(silent))
	return nil
}

func (c *cluster) dashboard() (panels.Board, error) {
	text, err := os.ReadFile(filepath.Join(c.chart(), "files", "monitoring", "dashboard.json"))
	if err != nil {
		return panels.Board{}, err
	}
	return panels.Read(text)
}

// judge asks all queries of the dashboard. It gives their number, and an error for
// each that is not as it should be, also where silent names one that has data or
// that there is not.
func judge(board panels.Board, silent map[string]string, ask func(panels.Query) ([]panels.Series, error)) (asked int, err error) {
	var wrong []error
	unused := maps.Clone(silent)
	one := func(panel string, query panels.Query) {
		asked++
		name := panel + " " + query.Name
		delete(unused, name)
		series, err := ask(query)
		reason := silent[name]
		switch has := panels.HasData(series); {
		case err != nil:
			wrong = append(wrong, fmt.Errorf("%s: %w", name, err))
		case has && reason != "":
			wrong = append(wrong, fmt.Errorf("%s has data, and should have none since %s", name, reason))
		case !has && reason == "":
			wrong = append(wrong, fmt.Errorf("%s has no data: %s", name, query.Expr))
		}
	}
	for _, row := range board.Rows {
		for _, panel := range row.Panels {
			for _, query := range panel.Queries {
				one(panel.Title, query)
			}
		}
	}
	for _, query := range board.Annotations {
		one("annotation", query)
	}
	for _, name := range slices.Sorted(maps.Keys(unused)) {
		wrong = append(wrong, fmt.Errorf("the dashboard has no query %s", name))
	}
	return asked, errors.Join(wrong...)
}

// series asks one query: an instant one for now, and others from the start of
// Prometheus until now.
func (c *cluster) series(ctx context.Context, query panels.Query, now time.Time) ([]panels.Series, error) {
	variables := panels.Variables{Job: metricsJob, Range: now.Sub(c.watched), RateInterval: rateInterval}
	expr, err := variables.Fill(query)
	if err != nil {
		return nil, err
	}
	path, values := "query", url.Values{"query": {expr}, "time": {unix(now)}}
	if !query.Instant {
		path = "query_range"
		values = url.Values{"query": {expr}, "start": {unix(c.watched)}, "end": {unix(now)}, "step": {graphStep.String()}}
	}
	var found struct {
		Result []struct {
			Metric map[string]string
			Value  *sample  // of an instant query
			Values []sample // of others
		}
	}
	if err := askPrometheus(ctx, path, values, &found); err != nil {
		return nil, err
	}
	var all []panels.Series
	for _, result := range found.Result {
		series := panels.Series{Name: query.Series(result.Metric)}
		if result.Value != nil {
			result.Values = append(result.Values, *result.Value)
		}
		for _, s := range result.Values {
			series.Points = append(series.Points, panels.Point(s))
		}
		all = append(all, series)
	}
	slices.SortFunc(all, func(a, b panels.Series) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

func unix(at time.Time) string { return strconv.FormatFloat(float64(at.UnixMilli())/1e3, 'f', 3, 64) }

// A sample is a point as Prometheus writes it: [seconds, "value"].
type sample panels.Point

// UnmarshalJSON reads the pair.
func (s *sample) UnmarshalJSON(text []byte) error {
	var seconds float64
	var value string
	if err := json.Unmarshal(text, &[]any{&seconds, &value}); err != nil {
		return err
	}
	parsed, err := strconv.ParseFloat(value, 64)
	s.At, s.Value = time.UnixMilli(int64(seconds*1e3)), parsed
	return err
}
