package chart

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// quiet are the panels without data while nothing is probed, skipped, failing or delayed
// by the client's rate limit.
var quiet = map[string]bool{
	"Wait for the client's own limit, p99": true,
	"Probes, by outcome":                   true,
	"Duration of probes":                   true,
	"Lateness of probes, p99":              true,
	"Workloads skipped, by reason":         true,
	"Annotations refused":                  true,
	"Failed syncs":                         true,
	"annotation":                           true,
}

// checkQueries lets a real Prometheus scrape the controller and runs every query of the
// dashboard.
func checkQueries(t *testing.T, metricsPort, token string) {
	t.Helper()
	api := startPrometheus(t, metricsPort, token)
	variables := strings.NewReplacer("$__rate_interval", "10s", "$__range", "1m", "$job", "controller")
	ask := func(expr string) []any { return ask(t, api, variables.Replace(expr)) }
	scraped := func(context.Context) (bool, error) {
		return len(ask(`count_over_time(external_workload_leading[10s]) > 3`)) == 1, nil
	}
	if err := wait.PollUntilContextTimeout(t.Context(), 500*time.Millisecond, settled, true, scraped); err != nil {
		t.Fatalf("Prometheus does not scrape the controller: %v; targets: %v", err, ask("up"))
	}
	for _, q := range queries(t) {
		if len(ask(q.expr)) == 0 && !quiet[q.panel] {
			t.Errorf("%q has no data: %s", q.panel, q.expr)
		}
	}
}

const scrapeConfig = `
global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
  - job_name: controller
    scheme: https
    tls_config: {insecure_skip_verify: true}
    authorization: {credentials: %s}
    static_configs: [{targets: ["127.0.0.1:%s"], labels: {namespace: mesh-vms}}]
`

// startPrometheus runs Prometheus until the end of the test and returns the
// address of its query API.
func startPrometheus(t *testing.T, metricsPort, token string) string {
	t.Helper()
	binary, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("left out: prometheus is not installed (it is in Debian's package of that name)")
	}
	folder := t.TempDir()
	config := filepath.Join(folder, "prometheus.yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, scrapeConfig, token, metricsPort), 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0") // Prometheus does not report a port of its choice
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(context.WithoutCancel(t.Context()), binary,
		"--config.file="+config, "--storage.tsdb.path="+filepath.Join(folder, "data"), "--web.listen-address="+address)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		_ = command.Wait()
	})
	return "http://" + address + "/api/v1/query"
}

// ask returns the series of a query, and none while Prometheus starts.
func ask(t *testing.T, api, expr string) []any {
	t.Helper()
	response, err := http.PostForm(api, url.Values{"query": {expr}})
	if err != nil {
		return nil
	}
	defer response.Body.Close()
	var answer struct {
		Error string
		Data  struct{ Result []any }
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return nil
	}
	if answer.Error != "" {
		t.Errorf("%s: %s", expr, answer.Error)
	}
	return answer.Data.Result
}
