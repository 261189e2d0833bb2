package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/util/workqueue"
)

// WorkqueueProvider returns the metrics of work queues of this instance, under
// the names that Kubernetes programs usually have. Give it to each queue's
// config: nothing is shared with other instances.
func (m *Metrics) WorkqueueProvider() workqueue.MetricsProvider {
	return m.workqueue
}

type workqueueProvider struct {
	depth          *prometheus.GaugeVec
	adds           *prometheus.CounterVec
	latency        *prometheus.HistogramVec
	workDuration   *prometheus.HistogramVec
	unfinished     *prometheus.GaugeVec
	longestRunning *prometheus.GaugeVec
	retries        *prometheus.CounterVec
}

func newWorkqueueProvider(f *factory) workqueueProvider {
	labels := []string{"name"}
	buckets := []float64{0.0001, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60}
	return workqueueProvider{
		depth: f.gauge(family{
			name:   "workqueue_depth",
			help:   "Number of keys in the queue.",
			advice: "Short peaks are normal. When it stays high, raise the number of workers or look at the API server.",
			labels: labels,
		}),
		adds: f.counter(family{
			name:   "workqueue_adds_total",
			help:   "Number of keys added to the queue.",
			labels: labels,
		}),
		latency: f.histogram(family{
			name:    "workqueue_queue_duration_seconds",
			help:    "Time that a key waits in the queue before a worker takes it.",
			advice:  "A part of the publish latency. When it grows, raise the number of workers.",
			labels:  labels,
			buckets: buckets,
		}),
		workDuration: f.histogram(family{
			name:    "workqueue_work_duration_seconds",
			help:    "Time that a worker spends on a key.",
			labels:  labels,
			buckets: buckets,
		}),
		unfinished: f.gauge(family{
			name:   "workqueue_unfinished_work_seconds",
			help:   "Sum of the time spent so far on all keys that workers hold now.",
			advice: "When it only grows, workers are stuck.",
			labels: labels,
		}),
		longestRunning: f.gauge(family{
			name:   "workqueue_longest_running_processor_seconds",
			help:   "Time that the longest running worker has spent on its key so far.",
			advice: "More than the deadline of a request means that a worker is stuck.",
			labels: labels,
		}),
		retries: f.counter(family{
			name:   "workqueue_retries_total",
			help:   "Number of keys put back into the queue for a retry.",
			labels: labels,
		}),
	}
}

// NewDepthMetric implements workqueue.MetricsProvider, as the others below.
func (p workqueueProvider) NewDepthMetric(name string) workqueue.GaugeMetric {
	return p.depth.WithLabelValues(name)
}

func (p workqueueProvider) NewAddsMetric(name string) workqueue.CounterMetric {
	return p.adds.WithLabelValues(name)
}

func (p workqueueProvider) NewLatencyMetric(name string) workqueue.HistogramMetric {
	return p.latency.WithLabelValues(name)
}

func (p workqueueProvider) NewWorkDurationMetric(name string) workqueue.HistogramMetric {
	return p.workDuration.WithLabelValues(name)
}

func (p workqueueProvider) NewUnfinishedWorkSecondsMetric(name string) workqueue.SettableGaugeMetric {
	return p.unfinished.WithLabelValues(name)
}

func (p workqueueProvider) NewLongestRunningProcessorSecondsMetric(name string) workqueue.SettableGaugeMetric {
	return p.longestRunning.WithLabelValues(name)
}

func (p workqueueProvider) NewRetriesMetric(name string) workqueue.CounterMetric {
	return p.retries.WithLabelValues(name)
}
