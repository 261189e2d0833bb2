package metrics

import "github.com/prometheus/client_golang/prometheus"

// publishing has the metrics from a change to a written slice.
type publishing struct {
	buildInfo      *prometheus.GaugeVec
	leading        prometheus.Gauge
	reconcile      *prometheus.HistogramVec
	panics         *prometheus.CounterVec
	errors         *prometheus.CounterVec
	latency        prometheus.Observer
	writes         *prometheus.CounterVec
	foreignWrites  prometheus.Counter
	endpoints      *prometheus.GaugeVec
	endpointSlices *prometheus.GaugeVec
	skipped        *prometheus.GaugeVec
}

func newPublishing(f *factory) publishing {
	metrics := publishing{
		buildInfo: f.gauge(family{
			name:   "external_workload_build_info",
			help:   "Always 1; the labels name the running build.",
			labels: []string{"version", "commit", "go_version"},
		}),
		leading: f.gauge(family{
			name:   "external_workload_leading",
			help:   "1 if this process holds the Lease and may write, 0 if it is on standby.",
			advice: "The sum over all replicas is 1. If it stays 0, no replica publishes: check the Lease and the logs of the replicas.",
		}).WithLabelValues(),
		reconcile: f.histogram(family{
			name:    "external_workload_reconcile_duration_seconds",
			help:    "Duration of one sync of one object, by controller and result.",
			advice:  "When it grows, compare rest_client_request_duration_seconds: most of a sync that writes is the API server's time.",
			labels:  []string{"controller", "result"},
			buckets: []float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30},
		}),
		panics: f.counter(family{
			name:   "external_workload_panics_total",
			help:   "Number of panics from which a worker recovered; the controller retries the object and continues with others.",
			advice: "A panic is always a defect of this program: report it with the stack from the log.",
			labels: []string{"controller"},
		}),
		errors: f.counter(family{
			name:   "external_workload_errors_total",
			help:   "Number of failed syncs, which the controller retries, by controller and reason.",
			advice: "Single errors need no action. If one reason persists, the Events of the Service or the workload and the log name the object and the cause.",
			labels: []string{"controller", "reason"},
		}),
		latency: f.histogram(family{
			name:    "external_workload_publish_latency_seconds",
			help:    "Time from a change in the cluster until the API server has acknowledged the EndpointSlice that publishes it.",
			advice:  "This is what users wait for. When it grows, look at workqueue_queue_duration_seconds (too few workers or a slow API server) and at external_workload_errors_total.",
			buckets: []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60},
		}).WithLabelValues(),
		writes: f.counter(family{
			name:   "external_workload_endpoint_slice_writes_total",
			help:   "Number of requests that write EndpointSlices, by operation (create, update, delete) and outcome (success, conflict, timeout, refused, error).",
			advice: "Conflicts are harmless when rare. Refused means that the API server or an admission policy refuses the write: the Events of the Service say why.",
			labels: []string{"operation", "outcome"},
		}),
		foreignWrites: f.counter(family{
			name:   "external_workload_foreign_writes_total",
			help:   "Number of writes and deletions by others of EndpointSlices that this controller manages; the controller repairs each.",
			advice: "Two controllers with one managed-by name undo each other's work: find the other one in managedFields of the slice.",
		}).WithLabelValues(),
	}
	metrics.addState(f)
	for _, operation := range []string{"create", "update", "delete"} {
		for _, outcome := range []string{"success", "conflict", "timeout", "refused", "error"} {
			metrics.writes.WithLabelValues(operation, outcome)
		}
	}
	return metrics
}

// addState registers the gauges of the sums in services.
func (p *publishing) addState(f *factory) {
	p.endpoints = f.gauge(family{
		name:   "external_workload_endpoints",
		help:   "Number of endpoints of all Services: desired, and actual in EndpointSlices.",
		advice: "The two differ for moments while changes are written. When they stay apart, publishing fails: look at external_workload_errors_total.",
		labels: []string{"state"},
	})
	p.endpointSlices = f.gauge(family{
		name:   "external_workload_endpoint_slices",
		help:   "Number of EndpointSlices of all Services: desired and actual.",
		advice: "More actual than desired ones means that slices are not full, which is normal after workloads were deleted.",
		labels: []string{"state"},
	})
	p.skipped = f.gauge(family{
		name:   "external_workload_skipped",
		help:   "Number of workloads that a Service selects and that are not published, by reason; a workload counts once for each Service.",
		advice: "The Events of the workload name the reason and what to change.",
		labels: []string{"reason"},
	})
}
