package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	prometheus "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/external-workload/controller/test/internal/controlplane"
)

const (
	prometheusAddress = "127.0.0.1:9090"
	// monitoring is the namespace of two accounts: the chart's values permit reader, and not
	// stranger, to read metrics.
	monitoring       = "monitoring"
	reader, stranger = "prometheus", "stranger"
	scrapeInterval   = time.Second
	// replicas is the chart's default.
	replicas = 2
)

// startPrometheus starts Prometheus with the configuration that the Prometheus operator
// would make from the chart's objects: it finds the controller's Pods by the ServiceMonitor
// and evaluates the PrometheusRule. Two more jobs scrape without a token and with the token
// of an account without permission: both must be refused.
func startPrometheus(ctx context.Context, c *cluster) error {
	if err := c.createReaders(ctx); err != nil {
		return err
	}
	var monitor serviceMonitor
	if err := c.rendered(ctx, "servicemonitor", "metrics.serviceMonitor.enabled", &monitor); err != nil {
		return err
	}
	var rule prometheusRule
	if err := c.rendered(ctx, "prometheusrule", "metrics.prometheusRule.enabled", &rule); err != nil {
		return err
	}
	for _, r := range rule.Spec.Groups[0].Rules {
		c.alerts = append(c.alerts, r.Alert)
	}
	alerts, config := filepath.Join(c.work, "alerts.json"), filepath.Join(c.work, "prometheus.json")
	if err := c.startDiscovery(monitor); err != nil {
		return err
	}
	if err := errors.Join(writeJSON(alerts, rule.Spec), writeJSON(config, c.prometheusConfig(monitor, alerts))); err != nil {
		return err
	}
	c.watched = time.Now()
	_, err := c.start(ctx, "prometheus", controlplane.Healthy("http://"+prometheusAddress+"/-/ready"), []string{
		"prometheus",
		"--config.file=" + config,
		"--storage.tsdb.path=" + filepath.Join(c.work, "prometheus"),
		"--web.listen-address=" + prometheusAddress,
	})
	if err != nil {
		return err
	}
	if err := until(ctx, c.scraped); err != nil {
		return err
	}
	c.note("%d Pods are scraped; without a token each answers 401, with a token without permission 403", replicas)
	return nil
}

// createReaders creates both accounts and writes a token of each to a file.
func (c *cluster) createReaders(ctx context.Context) error {
	_, err := c.core.CoreV1().Namespaces().Create(ctx,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: monitoring}}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	accounts := c.core.CoreV1().ServiceAccounts(monitoring)
	for _, name := range []string{reader, stranger} {
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if _, err := accounts.Create(ctx, account, metav1.CreateOptions{}); err != nil {
			return err
		}
		token, err := accounts.CreateToken(ctx, name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
		if err != nil {
			return err
		}
		if err := os.WriteFile(c.token(name), []byte(token.Status.Token), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) token(account string) string { return filepath.Join(c.work, account+".token") }

func writeJSON(path string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

// scraped checks that both Pods are up as targets, and that the two jobs without permission
// are refused.
func (c *cluster) scraped(ctx context.Context) error {
	targets, err := prometheusAPI().Targets(ctx)
	if err != nil {
		return fmt.Errorf("reading the targets of Prometheus: %w", err)
	}
	want := map[string]string{metricsJob: "", withoutToken: "401 Unauthorized", withoutRight: "403 Forbidden"}
	found := map[string]int{}
	for _, target := range targets.Active {
		found[target.ScrapePool]++
		answer := want[target.ScrapePool]
		if (target.Health == prometheus.HealthGood) != (answer == "") || !strings.Contains(target.LastError, answer) {
			return fmt.Errorf("a target of the job %s is %s, %q; want %q", target.ScrapePool, target.Health, target.LastError, answer)
		}
	}
	for job := range want {
		if found[job] != replicas {
			return fmt.Errorf("the job %s has %d targets, want %d", job, found[job], replicas)
		}
	}
	return nil
}

// prometheusAPI returns the API of Prometheus.
func prometheusAPI() prometheus.API {
	client, err := api.NewClient(api.Config{Address: "http://" + prometheusAddress})
	if err != nil {
		panic(err) // only for an invalid URL
	}
	return prometheus.NewAPI(client)
}

// vector returns the result of a query at a time; the zero time means now.
func vector(ctx context.Context, query string, at time.Time) (model.Vector, error) {
	value, _, _, err := prometheusAPI().Query(ctx, query, at)
	if err != nil {
		return nil, fmt.Errorf("asking Prometheus for %s: %w", query, err)
	}
	found, ok := value.(model.Vector)
	if !ok {
		return nil, fmt.Errorf("asking Prometheus for %s: the result is a %s, want a vector", query, value.Type())
	}
	return found, nil
}
