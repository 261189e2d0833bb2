package metrics

import (
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Metrics has all metrics of the program. Its methods are safe for concurrent use.
// Create it with New.
type Metrics struct {
	publishing publishing
	readiness  readiness
	workqueue  workqueueProvider
	client     client
	services   *services
	families   []family
}

// New creates all metrics and registers them, together with those of the Go runtime and
// of the process. It panics if the registry already has one of them, which is a
// programming error that every start reveals.
func New(registry prometheus.Registerer) *Metrics {
	factory := &factory{registry: registry}
	metrics := &Metrics{
		publishing: newPublishing(factory),
		readiness:  newReadiness(factory),
		workqueue:  newWorkqueueProvider(factory),
		client:     newClient(factory),
	}
	metrics.services = newServices(metrics.publishing)
	metrics.families = factory.families
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return metrics
}

// SetInfo reports which build this is. The version of Go is added to it.
func (m *Metrics) SetInfo(version, commit string) {
	m.publishing.buildInfo.WithLabelValues(version, commit, runtime.Version()).Set(1)
}

// SetLeading reports whether this process holds the Lease and may write.
func (m *Metrics) SetLeading(leading bool) {
	setBool(m.publishing.leading, leading)
}

// Reconciled counts one sync of one key by a controller, with its result and
// how long it took.
func (m *Metrics) Reconciled(controller, result string, duration time.Duration) {
	m.publishing.reconcile.WithLabelValues(controller, result).Observe(duration.Seconds())
}

// PanicRecovered counts a panic that a worker of the controller caught.
func (m *Metrics) PanicRecovered(controller string) {
	m.publishing.panics.WithLabelValues(controller).Inc()
}

// Failed counts a sync of the controller that ended in an error, by a reason
// from a small fixed set.
func (m *Metrics) Failed(controller, reason string) {
	m.publishing.errors.WithLabelValues(controller, reason).Inc()
}

// Published records the time from a change of an object of the cluster to the
// API server's acknowledgement of the write that publishes it.
func (m *Metrics) Published(latency time.Duration) {
	m.publishing.latency.Observe(latency.Seconds())
}

// SliceWritten counts a request that writes an EndpointSlice. The operation is
// create, update or delete; the outcome is success, conflict, timeout, refused
// or error.
func (m *Metrics) SliceWritten(operation, outcome string) {
	m.publishing.writes.WithLabelValues(operation, outcome).Inc()
}

// ForeignWrite counts a write by somebody else to an EndpointSlice of ours.
func (m *Metrics) ForeignWrite() {
	m.publishing.foreignWrites.Inc()
}

func setBool(gauge prometheus.Gauge, value bool) {
	if value {
		gauge.Set(1)
		return
	}
	gauge.Set(0)
}
