package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	prometheus "github.com/prometheus/client_golang/api/prometheus/v1"
)

// looksBack matches a query over a range of minutes.
var looksBack = regexp.MustCompile(`\[\d+m\]`)

// atRest is true if one replica has led for a while, and nothing was skipped or missing
// during that time.
const atRest = `min_over_time(sum(external_workload_leading)[15s:1s]) == 1
	and max_over_time(sum(external_workload_skipped)[15s:1s]) == 0
	and max_over_time(sum(external_workload_endpoints{state="desired"} - ignoring (state) external_workload_endpoints{state="actual"})[15s:1s]) == 0`

// alertsAreQuiet checks the alerts once the cluster is at rest. Each is evaluated without
// an error, and none has ever fired. Alerts about the current state are inactive; alerts
// over a range of minutes may still be pending because of earlier stages.
func alertsAreQuiet(ctx context.Context, c *cluster) error {
	if err := errors.Join(until(ctx, c.scraped), c.waitSeries(ctx, atRest), until(ctx, c.noAlert)); err != nil {
		return err
	}
	fired, err := vector(ctx, fmt.Sprintf(`count_over_time(ALERTS{alertstate="firing"}[%.0fs])`, time.Since(c.watched).Seconds()), time.Time{})
	if err != nil {
		return err
	}
	for _, result := range fired {
		return fmt.Errorf("the alert %s has fired: %v", result.Metric["alertname"], result.Metric)
	}
	c.note("%d alerts", len(c.alerts))
	return nil
}

// noAlert checks the alerts once.
func (c *cluster) noAlert(ctx context.Context) error {
	found, err := prometheusAPI().Rules(ctx, nil)
	if err != nil {
		return fmt.Errorf("reading the rules of Prometheus: %w", err)
	}
	var names []string
	for _, group := range found.Groups {
		for _, rule := range group.Rules {
			alert, ok := rule.(prometheus.AlertingRule)
			if !ok {
				return fmt.Errorf("the rule %v is not an alert", rule)
			}
			names = append(names, alert.Name)
			if alert.Health != prometheus.RuleHealthGood {
				return fmt.Errorf("the rule %s is %s: %s", alert.Name, alert.Health, alert.LastError)
			}
			if alert.State == "inactive" || alert.State == "pending" && looksBack.MatchString(alert.Query) {
				continue
			}
			return fmt.Errorf("the alert %s is %s", alert.Name, alert.State)
		}
	}
	if !slices.Equal(names, c.alerts) {
		return fmt.Errorf("the rules of Prometheus are %v, want %v", names, c.alerts)
	}
	return nil
}
