package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// readiness has the metrics of probes and of the readiness of workloads.
type readiness struct {
	duration            *prometheus.HistogramVec
	lateness            *prometheus.HistogramVec
	workloads           *prometheus.GaugeVec
	statusWrites        *prometheus.CounterVec
	hold                prometheus.Gauge
	rejectedAnnotations *prometheus.CounterVec
	expiries            prometheus.Counter
	readyOverwrites     prometheus.Counter
}

func newReadiness(f *factory) readiness {
	return readiness{
		duration: f.histogram(family{
			name:    "external_workload_probe_duration_seconds",
			help:    "Duration of a probe of a workload, by kind of probe (tcp, http, grpc) and outcome (success, failure, timeout, refused, or error: the prober itself failed).",
			advice:  "When many workloads fail at once, look at the network between this controller and the workloads first.",
			labels:  []string{"probe", "outcome"},
			buckets: []float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30},
		}),
		lateness: f.histogram(family{
			name:    "external_workload_probe_lateness_seconds",
			help:    "Delay between the planned and the actual start of a probe, by kind of probe.",
			advice:  "Probes that start late see failures late: give the controller more CPU, or probe less often.",
			labels:  []string{"probe"},
			buckets: []float64{0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10},
		}),
		workloads: f.gauge(family{
			name:   "external_workload_workloads",
			help:   "Number of workloads by source of readiness (probe, declared, other) and readiness (True, False, Unknown).",
			advice: "Unknown counts as not ready. Source other means that another writer sets the condition Ready, or none does.",
			labels: []string{"source", "ready"},
		}),
		statusWrites: f.counter(family{
			name:   "external_workload_status_writes_total",
			help:   "Number of requests that write the status of workloads, by outcome.",
			advice: "When errors go on, readiness in the cluster is stale: look at the log and at the permissions of the service account.",
			labels: []string{"outcome"},
		}),
		hold: f.gauge(family{
			name:   "external_workload_probe_hold",
			help:   "1 during a hold: readiness is frozen because probes of most namespaces fail together; else 0.",
			advice: "Either very much is down, or this controller cannot reach the workloads: check its own network. Machines that are down stay ready until the hold ends, at most for --hold-maximum.",
		}).WithLabelValues(),
		rejectedAnnotations: f.counter(family{
			name:   "external_workload_annotation_rejections_total",
			help:   "Number of probe, readiness and expiry annotations of workloads that are invalid or not allowed, by reason.",
			advice: "The Events of the workload name the annotation and what it should say.",
			labels: []string{"reason"},
		}),
		expiries: f.counter(family{
			name:   "external_workload_expirations_total",
			help:   "Number of workloads that the controller deleted after their probe had failed for the duration in their annotation.",
			advice: "Each has an Event with the reason Expired. A sudden rise means that many machines were lost, or that probes cannot reach them.",
		}).WithLabelValues(),
		readyOverwrites: f.counter(family{
			name:   "external_workload_ready_overwrites_total",
			help:   "Number of times that another writer overwrote Ready or another condition of this controller.",
			advice: "While it grows, a workload's conditions have two owners: the Event ReadyConflict names the other one. Remove the annotation, or stop the other writer.",
		}).WithLabelValues(),
	}
}

// Probed records one probe: its kind (tcp, http or grpc), its outcome (success,
// failure, timeout or refused), how long it took, and how much later than
// planned it started.
func (m *Metrics) Probed(probe, outcome string, duration, lateness time.Duration) {
	m.readiness.duration.WithLabelValues(probe, outcome).Observe(duration.Seconds())
	m.readiness.lateness.WithLabelValues(probe).Observe(max(lateness, 0).Seconds())
}

// SetWorkloads reports how many workloads have their readiness from the source
// (probe, declared or other) with the value ready (True, False or Unknown).
func (m *Metrics) SetWorkloads(source, ready string, count int) {
	m.readiness.workloads.WithLabelValues(source, ready).Set(float64(count))
}

// StatusWritten counts a request that writes the status of a workload.
func (m *Metrics) StatusWritten(outcome string) {
	m.readiness.statusWrites.WithLabelValues(outcome).Inc()
}

// SetHold reports whether readiness is held.
func (m *Metrics) SetHold(active bool) {
	setBool(m.readiness.hold, active)
}

// AnnotationRejected counts an annotation that is invalid or not allowed.
func (m *Metrics) AnnotationRejected(reason string) {
	m.readiness.rejectedAnnotations.WithLabelValues(reason).Inc()
}

// WorkloadExpired counts a workload that was deleted after its probe had failed for the
// time in its annotation.
func (m *Metrics) WorkloadExpired() { m.readiness.expiries.Inc() }

// ReadyOverwritten counts a condition, mostly Ready, that another writer overwrote.
func (m *Metrics) ReadyOverwritten() { m.readiness.readyOverwrites.Inc() }
