package main

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// The scrape jobs of Prometheus. The first has the name that the Prometheus operator would
// give it: that of the Service.
const (
	metricsJob   = release + "-metrics"
	withoutToken = "without-token"
	withoutRight = "without-right"
)

// podToken is the path of a Pod's own service account token.
const podToken = "/var/run/secrets/kubernetes.io/serviceaccount/token"

// A serviceMonitor has the fields of the operator's ServiceMonitor that the chart uses.
type serviceMonitor struct {
	metav1.TypeMeta `json:",inline"`
	Metadata        metav1.ObjectMeta `json:"metadata"`
	Spec            struct {
		Selector          metav1.LabelSelector `json:"selector"`
		NamespaceSelector struct {
			MatchNames []string `json:"matchNames"`
		} `json:"namespaceSelector"`
		Endpoints []struct {
			Port            string `json:"port"`
			Scheme          string `json:"scheme"`
			BearerTokenFile string `json:"bearerTokenFile"`
			TLSConfig       struct {
				InsecureSkipVerify bool `json:"insecureSkipVerify"`
			} `json:"tlsConfig"`
		} `json:"endpoints"`
	} `json:"spec"`
}

// A prometheusRule is the operator's PrometheusRule. Its spec is a rule file of Prometheus.
type prometheusRule struct {
	metav1.TypeMeta `json:",inline"`
	Metadata        metav1.ObjectMeta `json:"metadata"`
	Spec            struct {
		Groups []struct {
			Name  string `json:"name"`
			Rules []struct {
				Alert       string            `json:"alert"`
				Expr        string            `json:"expr"`
				For         string            `json:"for,omitempty"`
				Labels      map[string]string `json:"labels"`
				Annotations map[string]string `json:"annotations"`
			} `json:"rules"`
		} `json:"groups"`
	} `json:"spec"`
}

// rendered decodes the only object of a template that a value enables. An unknown field is
// an error, so that none is ignored.
func (c *cluster) rendered(ctx context.Context, template, value string, into any) error {
	text, err := c.command(ctx, c.bin("helm"), "template", release, c.chart(), "--namespace="+releaseNamespace,
		"--show-only=templates/"+template+".yaml", "--set="+value+"=true")
	if err != nil {
		return err
	}
	if err := yaml.UnmarshalStrict([]byte(text), into); err != nil {
		return fmt.Errorf("decoding the object of the template %s: %w", template, err)
	}
	return nil
}

// prometheusConfig returns the configuration that the operator would write, as JSON, which
// is also YAML.
func (c *cluster) prometheusConfig(monitor serviceMonitor, alerts string) map[string]any {
	return map[string]any{
		"global": map[string]any{
			"scrape_interval": scrapeInterval.String(), "scrape_timeout": scrapeInterval.String(),
			"evaluation_interval": scrapeInterval.String(),
		},
		"rule_files": []string{alerts},
		"scrape_configs": []any{
			scrapeJob(monitor, metricsJob, c.token(reader)),
			scrapeJob(monitor, withoutToken, ""),
			scrapeJob(monitor, withoutRight, c.token(stranger)),
		},
	}
}

// scrapeJob scrapes the targets of the ServiceMonitor with the token in a file, or without
// a token if the file is empty. The file replaces the one that the monitor names in
// Prometheus' Pod.
func scrapeJob(monitor serviceMonitor, name, token string) map[string]any {
	endpoint := monitor.Spec.Endpoints[0]
	job := map[string]any{
		"job_name":   name,
		"scheme":     endpoint.Scheme,
		"tls_config": map[string]any{"insecure_skip_verify": endpoint.TLSConfig.InsecureSkipVerify},
		"http_sd_configs": []any{map[string]any{
			"url": "http://" + discoveryAddress, "refresh_interval": scrapeInterval.String(),
		}},
	}
	if token != "" && endpoint.BearerTokenFile == podToken {
		job["authorization"] = map[string]any{"credentials_file": token}
	}
	return job
}
