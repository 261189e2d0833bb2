package metrics

import (
	"context"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	clientmetrics "k8s.io/client-go/tools/metrics"
)

// RegisterClient makes client-go report its requests to these metrics.
//
// client-go has these hooks once per process and accepts only the first registration. A
// second call, on this or on another Metrics, has no effect. Call it before clients are
// created. The hooks for informers and reflectors are not used.
func (m *Metrics) RegisterClient() {
	clientmetrics.Register(clientmetrics.RegisterOpts{
		RequestLatency:     requestLatency{m.client.latency},
		RateLimiterLatency: requestLatency{m.client.rateLimiter},
		RequestResult:      requestResult{m.client.requests},
		RequestRetry:       requestRetry{m.client.retries},
	})
}

// client holds the metrics of requests to the API server.
type client struct {
	latency     *prometheus.HistogramVec
	rateLimiter *prometheus.HistogramVec
	requests    *prometheus.CounterVec
	retries     *prometheus.CounterVec
}

func newClient(f *factory) client {
	buckets := []float64{0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60}
	return client{
		latency: f.histogram(family{
			name:    "rest_client_request_duration_seconds",
			help:    "Duration of requests to the API server, by verb and host.",
			advice:  "The API server's side of every latency here.",
			labels:  []string{"verb", "host"},
			buckets: buckets,
		}),
		rateLimiter: f.histogram(family{
			name:    "rest_client_rate_limiter_duration_seconds",
			help:    "Time that requests waited for the limit of this client, by verb and host.",
			advice:  "When it grows, raise the limits of the client or switch them off.",
			labels:  []string{"verb", "host"},
			buckets: buckets,
		}),
		requests: f.counter(family{
			name:   "rest_client_requests_total",
			help:   "Number of requests to the API server, by status code, method and host.",
			advice: "Code 403: the service account lacks a permission. 429 and 5xx: the API server is overloaded or fails. <error>: it was not reached.",
			labels: []string{"code", "method", "host"},
		}),
		retries: f.counter(family{
			name:   "rest_client_request_retries_total",
			help:   "Number of requests that the client retried because the API server asked for it, by status code, verb and host.",
			labels: []string{"code", "verb", "host"},
		}),
	}
}

type requestLatency struct{ histogram *prometheus.HistogramVec }

func (l requestLatency) Observe(_ context.Context, verb string, address url.URL, latency time.Duration) {
	l.histogram.WithLabelValues(verb, address.Host).Observe(latency.Seconds())
}

type requestResult struct{ counter *prometheus.CounterVec }

func (r requestResult) Increment(_ context.Context, code, method, host string) {
	r.counter.WithLabelValues(code, method, host).Inc()
}

type requestRetry struct{ counter *prometheus.CounterVec }

func (r requestRetry) IncrementRetry(_ context.Context, code, verb, host string) {
	r.counter.WithLabelValues(code, verb, host).Inc()
}
