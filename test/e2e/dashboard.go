package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	prometheus "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/external-workload/controller/test/internal/panels"
)

const (
	// rateInterval replaces Grafana's variable, which is at least four scrapes. It is longer,
	// so that the lines of the picture are smooth.
	rateInterval = 10 * scrapeInterval
	// graphStep is the time between two points.
	graphStep = 2 * time.Second
	// afterTrouble is long enough for two more scrapes.
	afterTrouble = 20 * time.Second
)

// silent are the queries of the dashboard that must have no series in this run, by panel
// and name, with the reason.
var silent = map[string]string{
	"Failed syncs B":                         "nothing panics",
	"Wait for the client's own limit, p99 A": "the client limits itself only where kubeAPI.qps is set",
}

// dashboardHasData runs every query of the dashboard like Grafana: for the current time, or
// for the time since the start of Prometheus. All but the silent ones must have data, and
// the silent ones none.
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
		asked, err = checkQueries(board, silent, func(query panels.Query) ([]panels.Series, error) { return c.series(ctx, query, now) })
		return err
	}); err != nil {
		return err
	}
	c.note("%d queries have data, %d have none as expected", asked-len(silent), len(silent))
	return nil
}

func (c *cluster) dashboard() (panels.Board, error) {
	text, err := os.ReadFile(filepath.Join(c.chart(), "files", "monitoring", "dashboard.json"))
	if err != nil {
		return panels.Board{}, err
	}
	return panels.Read(text)
}

// checkQueries runs all queries of the dashboard. It returns their number and an error for
// each query without data, and for each query in silent that has data or does not exist.
func checkQueries(board panels.Board, silent map[string]string, ask func(panels.Query) ([]panels.Series, error)) (asked int, err error) {
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

// series runs one query: an instant query for now, others from the start of Prometheus
// until now.
func (c *cluster) series(ctx context.Context, query panels.Query, now time.Time) ([]panels.Series, error) {
	variables := panels.Variables{Job: metricsJob, Range: now.Sub(c.watched), RateInterval: rateInterval}
	expr, err := variables.Fill(query)
	if err != nil {
		return nil, err
	}
	var all []panels.Series
	if query.Instant {
		found, err := vector(ctx, expr, now)
		if err != nil {
			return nil, err
		}
		for _, sample := range found {
			all = append(all, series(query, sample.Metric, model.SamplePair{Timestamp: sample.Timestamp, Value: sample.Value}))
		}
	} else {
		value, _, _, err := prometheusAPI().QueryRange(ctx, expr, prometheus.Range{Start: c.watched, End: now, Step: graphStep})
		if err != nil {
			return nil, fmt.Errorf("asking Prometheus for %s: %w", expr, err)
		}
		found, ok := value.(model.Matrix)
		if !ok {
			return nil, fmt.Errorf("asking Prometheus for %s: the result is a %s, want a matrix", expr, value.Type())
		}
		for _, stream := range found {
			all = append(all, series(query, stream.Metric, stream.Values...))
		}
	}
	slices.SortFunc(all, func(a, b panels.Series) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// series returns the series that a panel draws for one result of its query.
func series(query panels.Query, labels model.Metric, samples ...model.SamplePair) panels.Series {
	named := make(map[string]string, len(labels))
	for name, value := range labels {
		named[string(name)] = string(value)
	}
	drawn := panels.Series{Name: query.Series(named)}
	for _, s := range samples {
		drawn.Points = append(drawn.Points, panels.Point{At: s.Timestamp.Time(), Value: float64(s.Value)})
	}
	return drawn
}
