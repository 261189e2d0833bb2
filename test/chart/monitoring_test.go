package chart

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

const (
	alertsFile    = chartDir + "/files/monitoring/alerts.yaml"
	dashboardFile = chartDir + "/files/monitoring/dashboard.json"
)

// alert is a rule of Prometheus.
type alert struct {
	Alert       string            `json:"alert,omitempty"`
	Record      string            `json:"record,omitempty"`
	Expr        string            `json:"expr"`
	For         string            `json:"for,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// ruleFile is a rule file, which has the form of a PrometheusRule's spec.
type ruleFile struct {
	Groups []ruleGroup `json:"groups"`
}

type ruleGroup struct {
	Name  string  `json:"name"`
	Rules []alert `json:"rules"`
}

func alerts(t *testing.T) ruleFile {
	t.Helper()
	var rules ruleFile
	if err := yaml.UnmarshalStrict([]byte(readFile(t, alertsFile)), &rules); err != nil {
		t.Fatal(err)
	}
	return rules
}

func TestThePrometheusRuleHoldsTheAlerts(t *testing.T) {
	rendered := only(t, parse(t, render(t, "--set", "metrics.prometheusRule.enabled=true")), "PrometheusRule")
	if diff := cmp.Diff(alerts(t), decode[ruleFile](t, rendered["spec"])); diff != "" {
		t.Errorf("rules (-file +rendered):\n%s", diff)
	}
}

func TestAlertsAreLabelledAndLeftOutAsAsked(t *testing.T) {
	rendered := only(t, parse(t, render(t,
		"--set", "metrics.prometheusRule.enabled=true",
		"--set", "metrics.prometheusRule.disabled={ExternalWorkloadSkipped}",
		"--set", "metrics.prometheusRule.alertLabels.severity=page,metrics.prometheusRule.alertLabels.team=mesh",
	)), "PrometheusRule")
	rules := decode[ruleFile](t, rendered["spec"]).Groups[0].Rules
	if want := len(alerts(t).Groups[0].Rules) - 1; len(rules) != want {
		t.Errorf("%d alerts, want %d", len(rules), want)
	}
	for _, rule := range rules {
		want := map[string]string{"severity": "page", "team": "mesh"}
		if diff := cmp.Diff(want, rule.Labels); diff != "" || rule.Alert == "ExternalWorkloadSkipped" {
			t.Errorf("%s (-want +got):\n%s", rule.Alert, diff)
		}
	}
}

func TestEveryAlertHasARunbook(t *testing.T) {
	const page = "https://github.com/external-workload/controller/blob/main/docs/observe.md"
	headings := strings.ToLower(readFile(t, root+"/docs/observe.md"))
	for _, rule := range alerts(t).Groups[0].Rules {
		name := strings.ToLower(rule.Alert)
		if got := rule.Annotations["runbook_url"]; got != page+"#"+name {
			t.Errorf("%s has the runbook %q", rule.Alert, got)
		}
		if !strings.Contains(headings, "\n### "+name+"\n") {
			t.Errorf("docs/observe.md has no heading %s", rule.Alert)
		}
	}
}

// promtool runs Prometheus' own checker, and skips the test if it is not installed.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	binary, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("left out: promtool is not installed (it is in Debian's package prometheus)")
	}
	if out, err := exec.CommandContext(t.Context(), binary, args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestAlertsFireWhenTheyShould(t *testing.T) {
	promtool(t, "test", "rules", chartDir+"/tests/alerts.yaml")
}

// query is a query of the dashboard and its panel.
type query struct{ panel, expr string }

type dashboard struct {
	Panels []struct {
		Title       string `json:"title"`
		Type        string `json:"type"`
		Description string `json:"description"`
		ID          int    `json:"id"`
		Targets     []struct {
			Expr string `json:"expr"`
		} `json:"targets"`
	} `json:"panels"`
	Annotations struct {
		List []struct {
			Expr string `json:"expr"`
		} `json:"list"`
	} `json:"annotations"`
}

func queries(t *testing.T) []query {
	t.Helper()
	var board dashboard
	if err := json.Unmarshal([]byte(readFile(t, dashboardFile)), &board); err != nil {
		t.Fatal(err)
	}
	var found []query
	ids := map[int]bool{}
	for _, panel := range board.Panels {
		if panel.Type != "row" && (panel.Description == "" || len(panel.Targets) == 0) {
			t.Errorf("panel %q lacks a description or a query", panel.Title)
		}
		if ids[panel.ID] {
			t.Errorf("panel %q has a duplicate id", panel.Title)
		}
		ids[panel.ID] = true
		for _, target := range panel.Targets {
			found = append(found, query{panel.Title, target.Expr})
		}
	}
	for _, annotation := range board.Annotations.List {
		found = append(found, query{"annotation", annotation.Expr})
	}
	return found
}

var (
	documentedMetric = regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (\\w+) \\|")
	usedMetric       = regexp.MustCompile(`\b(?:external_workload|workqueue|rest_client|informer|process|go)_[a-z_]+`)
)

// known returns the series of the documented metrics, and those of the Prometheus client
// library.
func known(t *testing.T) map[string]bool {
	t.Helper()
	series := map[string]bool{
		"process_cpu_seconds_total": true, "process_resident_memory_bytes": true, "go_goroutines": true,
	}
	for _, match := range documentedMetric.FindAllStringSubmatch(readFile(t, root+"/docs/metrics.md"), -1) {
		if match[2] != "histogram" {
			series[match[1]] = true
			continue
		}
		for _, suffix := range []string{"_bucket", "_count", "_sum"} {
			series[match[1]+suffix] = true
		}
	}
	return series
}

func TestQueriesUseMetricsThatExist(t *testing.T) {
	all := queries(t)
	for _, rule := range alerts(t).Groups[0].Rules {
		all = append(all, query{rule.Alert, rule.Expr})
	}
	series := known(t)
	for _, q := range all {
		used := usedMetric.FindAllString(q.expr, -1)
		if len(used) == 0 {
			t.Errorf("%s uses no metric: %s", q.panel, q.expr)
		}
		for _, name := range used {
			if !series[name] {
				t.Errorf("%s uses %s, which docs/metrics.md does not list", q.panel, name)
			}
		}
	}
}

// The test replaces Grafana's variables and checks each query as a recording rule.
func TestQueriesOfTheDashboardAreValid(t *testing.T) {
	group := ruleGroup{Name: "dashboard"}
	variables := strings.NewReplacer("$__rate_interval", "5m", "$__range", "1h", "$job", "ewc-metrics")
	for i, q := range queries(t) {
		group.Rules = append(group.Rules, alert{
			Record: "panel:" + strings.Repeat("x", i+1), // names must differ
			Expr:   variables.Replace(q.expr),
		})
	}
	text, err := yaml.Marshal(ruleFile{Groups: []ruleGroup{group}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "queries.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "check", "rules", path)
}

func TestTheDashboardIsRenderedAsItIs(t *testing.T) {
	rendered := only(t, parse(t, render(t, "--set", "metrics.dashboard.enabled=true")), "ConfigMap")
	got, _ := rendered.at("data", "external-workload-controller.json").(string)
	if diff := cmp.Diff(strings.TrimSpace(readFile(t, dashboardFile)), strings.TrimSpace(got)); diff != "" {
		t.Errorf("dashboard (-file +rendered):\n%s", diff)
	}
}
