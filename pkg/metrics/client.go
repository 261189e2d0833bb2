package metrics

import (
	"context"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/tools/cache"
	clientmetrics "k8s.io/client-go/tools/metrics"
)

// RegisterClient makes client-go report its requests and informers here.
//
// client-go keeps these hooks for the whole process and takes only the first
// registration. A second call, on this or on another Metrics, is harmless and
// changes nothing: the first one goes on to be told. Call it before clients
// and informers are made. Informers report only when their factory has a
// cache.InformerName. client-go's hook for reflectors is left alone, because
// client-go no longer calls it.
func (m *Metrics) RegisterClient() {
	clientmetrics.Register(clientmetrics.RegisterOpts{
		RequestLatency:     requestLatency{m.client.latency},
		RateLimiterLatency: requestLatency{m.client.rateLimiter},
		RequestResult:      requestResult{m.client.requests},
		RequestRetry:       requestRetry{m.client.retries},
	})
	cache.SetInformerMetricsProvider(m.client)
}

// client holds the metrics of requests to the API server and of informers. It
// implements cache.InformerMetricsProvider.
type client struct {
	latency         *prometheus.HistogramVec
	rateLimiter     *prometheus.HistogramVec
	requests        *prometheus.CounterVec
	retries         *prometheus.CounterVec
	queuedItems     *prometheus.GaugeVec
	processing      *prometheus.HistogramVec
	resourceVersion *prometheus.GaugeVec
}

func newClient(f *factory) client {
	buckets := []float64{0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60}
	informer := []string{"name", "group", "version", "resource"}
	return client{
		latency: f.histogram(family{
			name:    "rest_client_request_duration_seconds",
			help:    "Time that requests to the API server took, by verb and host.",
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
			help:   "Requests to the API server, by status code, method and host.",
			advice: "Code 403: the service account lacks a permission. 429 and 5xx: the API server is overloaded or ill. <error>: it was not reached.",
			labels: []string{"code", "method", "host"},
		}),
		retries: f.counter(family{
			name:   "rest_client_request_retries_total",
			help:   "Requests that the client repeated because the API server asked for it, by status code, verb and host.",
			labels: []string{"code", "verb", "host"},
		}),
		queuedItems: f.gauge(family{
			name:   "informer_queued_items",
			help:   "Watch events that wait to be taken into the cache.",
			advice: "When it stays above zero, the cache lags behind the API server: give the controller more CPU.",
			labels: informer,
		}),
		processing: f.histogram(family{
			name:    "informer_processing_latency_seconds",
			help:    "Time that it took to take a watch event into the cache.",
			labels:  informer,
			buckets: []float64{0.00001, 0.0001, 0.001, 0.01, 0.1, 1, 10},
		}),
		resourceVersion: f.gauge(family{
			name:   "informer_store_resource_version",
			help:   "Resource version that the cache has reached.",
			advice: "When replicas differ for long, the smaller one does not receive its watch events.",
			labels: informer,
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

// NewQueuedItemMetric implements cache.InformerMetricsProvider, as the others
// below.
func (c client) NewQueuedItemMetric(id cache.InformerNameAndResource) cache.GaugeMetric {
	return informerGauge{id, c.queuedItems.WithLabelValues(informerLabels(id)...)}
}

func (c client) NewProcessingLatencyMetric(id cache.InformerNameAndResource) cache.HistogramMetric {
	return informerHistogram{id, c.processing.WithLabelValues(informerLabels(id)...)}
}

func (c client) NewStoreResourceVersionMetric(id cache.InformerNameAndResource) cache.GaugeMetric {
	return informerGauge{id, c.resourceVersion.WithLabelValues(informerLabels(id)...)}
}

func informerLabels(id cache.InformerNameAndResource) []string {
	resource := id.GroupVersionResource()
	return []string{id.Name(), resource.Group, resource.Version, resource.Resource}
}

// informerGauge falls silent once the name of its informer is released, when
// another informer may report under it.
type informerGauge struct {
	id    cache.InformerNameAndResource
	gauge prometheus.Gauge
}

func (g informerGauge) Set(value float64) {
	if g.id.Reserved() {
		g.gauge.Set(value)
	}
}

// informerHistogram is to histograms what informerGauge is to gauges.
type informerHistogram struct {
	id       cache.InformerNameAndResource
	observer prometheus.Observer
}

func (h informerHistogram) Observe(value float64) {
	if h.id.Reserved() {
		h.observer.Observe(value)
	}
}
