package metrics

import (
	"context"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"k8s.io/apimachinery/pkg/types"
)

func newMetrics() (*Metrics, *prometheus.Registry) {
	registry := prometheus.NewPedanticRegistry()
	return New(registry), registry
}

// exercise gives every metric at least one series.
func exercise(m *Metrics) {
	m.SetInfo("v1.2.3", "abcdef")
	m.SetLeading(true)
	m.Reconciled("endpointslice", "changed", 3*time.Millisecond)
	m.PanicRecovered("endpointslice")
	m.Failed("endpointslice", "conflict")
	m.Published(20 * time.Millisecond)
	m.SliceWritten("create", "success")
	m.ForeignWrite()
	m.ServiceObserved(types.NamespacedName{Namespace: "default", Name: "web"}, ServiceObserved{
		EndpointsDesired: 3, EndpointsActual: 2, SlicesDesired: 1, SlicesActual: 1,
		Skipped: map[string]int{"NoAddress": 1},
	})
	m.Probed("tcp", "success", time.Millisecond, 2*time.Millisecond)
	m.SetWorkloads("probe", "True", 2)
	m.StatusWritten("success")
	m.SetHold(true)
	m.AnnotationRejected("UnknownProbe")
	m.WorkloadExpired()

	queue := m.workqueue
	queue.NewDepthMetric("services")
	queue.NewAddsMetric("services")
	queue.NewLatencyMetric("services")
	queue.NewWorkDurationMetric("services")
	queue.NewUnfinishedWorkSecondsMetric("services")
	queue.NewLongestRunningProcessorSecondsMetric("services")
	queue.NewRetriesMetric("services")

	ctx, server := context.Background(), url.URL{Host: "10.0.0.1"}
	requestLatency{m.client.latency}.Observe(ctx, "GET", server, time.Millisecond)
	requestLatency{m.client.rateLimiter}.Observe(ctx, "GET", server, time.Millisecond)
	requestResult{m.client.requests}.Increment(ctx, "200", "GET", server.Host)
	requestRetry{m.client.retries}.IncrementRetry(ctx, "429", "GET", server.Host)
}

func TestNamesAndHelpFollowTheConventions(t *testing.T) {
	m, registry := newMetrics()
	exercise(m)
	problems, err := testutil.GatherAndLint(registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems {
		t.Errorf("%s: %s", problem.Metric, problem.Text)
	}
}

func TestExposition(t *testing.T) {
	m, registry := newMetrics()
	exercise(m)
	m.SetLeading(false)
	m.SliceWritten("update", "conflict")
	m.SliceWritten("update", "conflict")
	want := `
# HELP external_workload_annotation_rejections_total Number of probe, readiness and expiry annotations of workloads that are invalid or not allowed, by reason.
# TYPE external_workload_annotation_rejections_total counter
external_workload_annotation_rejections_total{reason="UnknownProbe"} 1
# HELP external_workload_build_info Always 1; the labels name the running build.
# TYPE external_workload_build_info gauge
external_workload_build_info{commit="abcdef",go_version="` + runtime.Version() + `",version="v1.2.3"} 1
# HELP external_workload_endpoint_slice_writes_total Number of requests that write EndpointSlices, by operation (create, update, delete) and outcome (success, conflict, timeout, refused, error).
# TYPE external_workload_endpoint_slice_writes_total counter
external_workload_endpoint_slice_writes_total{operation="create",outcome="conflict"} 0
external_workload_endpoint_slice_writes_total{operation="create",outcome="error"} 0
external_workload_endpoint_slice_writes_total{operation="create",outcome="refused"} 0
external_workload_endpoint_slice_writes_total{operation="create",outcome="success"} 1
external_workload_endpoint_slice_writes_total{operation="create",outcome="timeout"} 0
external_workload_endpoint_slice_writes_total{operation="delete",outcome="conflict"} 0
external_workload_endpoint_slice_writes_total{operation="delete",outcome="error"} 0
external_workload_endpoint_slice_writes_total{operation="delete",outcome="refused"} 0
external_workload_endpoint_slice_writes_total{operation="delete",outcome="success"} 0
external_workload_endpoint_slice_writes_total{operation="delete",outcome="timeout"} 0
external_workload_endpoint_slice_writes_total{operation="update",outcome="conflict"} 2
external_workload_endpoint_slice_writes_total{operation="update",outcome="error"} 0
external_workload_endpoint_slice_writes_total{operation="update",outcome="refused"} 0
external_workload_endpoint_slice_writes_total{operation="update",outcome="success"} 0
external_workload_endpoint_slice_writes_total{operation="update",outcome="timeout"} 0
# HELP external_workload_errors_total Number of failed syncs, which the controller retries, by controller and reason.
# TYPE external_workload_errors_total counter
external_workload_errors_total{controller="endpointslice",reason="conflict"} 1
# HELP external_workload_foreign_writes_total Number of writes and deletions by others of EndpointSlices that this controller manages; the controller repairs each.
# TYPE external_workload_foreign_writes_total counter
external_workload_foreign_writes_total 1
# HELP external_workload_leading 1 if this process holds the Lease and may write, 0 if it is on standby.
# TYPE external_workload_leading gauge
external_workload_leading 0
# HELP external_workload_panics_total Number of panics from which a worker recovered; the controller retries the object and continues with others.
# TYPE external_workload_panics_total counter
external_workload_panics_total{controller="endpointslice"} 1
# HELP external_workload_probe_hold 1 during a hold: readiness is frozen because probes of most namespaces fail together; else 0.
# TYPE external_workload_probe_hold gauge
external_workload_probe_hold 1
# HELP external_workload_probe_lateness_seconds Delay between the planned and the actual start of a probe, by kind of probe.
# TYPE external_workload_probe_lateness_seconds histogram
external_workload_probe_lateness_seconds_bucket{probe="tcp",le="0.001"} 0
external_workload_probe_lateness_seconds_bucket{probe="tcp",le="0.005"} 1
external_workload_probe_lateness_seconds_bucket{probe="tcp",le="0.01"} 1
external_workload_probe_lateness_seconds_bucket{probe="tcp",le="0.05"} 1
external_workload_probe_lateness_seconds_bucket{probe="tcp",le="0.1"} 1
external_workload_probe_lateness_seconds_bucket{probe="tcp",le="0.5"} 1
external_workload_probe_lateness_seconds_bucket{probe="tcp",le="1"} 1
external_workload_probe_lateness_seconds_bucket{probe="tcp",le="5"} 1
external_workload_probe_lateness_seconds_bucket{probe="tcp",le="10"} 1
external_workload_probe_lateness_seconds_bucket{probe="tcp",le="+Inf"} 1
external_workload_probe_lateness_seconds_sum{probe="tcp"} 0.002
external_workload_probe_lateness_seconds_count{probe="tcp"} 1
# HELP external_workload_status_writes_total Number of requests that write the status of workloads, by outcome.
# TYPE external_workload_status_writes_total counter
external_workload_status_writes_total{outcome="success"} 1
# HELP external_workload_workloads Number of workloads by source of readiness (probe, declared, other) and readiness (True, False, Unknown).
# TYPE external_workload_workloads gauge
external_workload_workloads{ready="True",source="probe"} 2
`
	var names []string
	for line := range strings.Lines(want) {
		if name, ok := strings.CutPrefix(line, "# TYPE "); ok {
			names = append(names, strings.Fields(name)[0])
		}
	}
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}
}

func TestHistogramsAreClassicAndNative(t *testing.T) {
	m, registry := newMetrics()
	m.Published(20 * time.Millisecond)
	m.Reconciled("endpointslice", "changed", time.Millisecond)
	gathered, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, family := range gathered {
		switch family.GetName() {
		case "external_workload_publish_latency_seconds", "external_workload_reconcile_duration_seconds":
			seen++
			histogram := family.GetMetric()[0].GetHistogram()
			if len(histogram.GetBucket()) == 0 {
				t.Errorf("%s has no classic buckets", family.GetName())
			}
			if len(histogram.GetPositiveSpan()) == 0 {
				t.Errorf("%s has no native buckets", family.GetName())
			}
			if histogram.GetSampleCount() != 1 {
				t.Errorf("%s counts %d samples, want 1", family.GetName(), histogram.GetSampleCount())
			}
		}
	}
	if seen != 2 {
		t.Errorf("%d of 2 histograms gathered", seen)
	}
}

func TestRegistriesDoNotShareAnything(t *testing.T) {
	one, _ := newMetrics()
	_, registry := newMetrics()
	one.ForeignWrite()
	want := `
# HELP external_workload_foreign_writes_total Number of writes and deletions by others of EndpointSlices that this controller manages; the controller repairs each.
# TYPE external_workload_foreign_writes_total counter
external_workload_foreign_writes_total 0
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "external_workload_foreign_writes_total"); err != nil {
		t.Error(err)
	}
}

func TestRuntimeAndProcessAreCollected(t *testing.T) {
	_, registry := newMetrics()
	names := []string{"go_goroutines"}
	if runtime.GOOS == "linux" {
		names = append(names, "process_start_time_seconds")
	}
	count, err := testutil.GatherAndCount(registry, names...)
	if err != nil || count != len(names) {
		t.Errorf("%d of %v gathered, error %v", count, names, err)
	}
}

func TestProbesThatStartEarlyAreNotLate(t *testing.T) {
	m, registry := newMetrics()
	m.Probed("tcp", "success", time.Millisecond, -time.Second)
	gathered, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range gathered {
		if family.GetName() == "external_workload_probe_lateness_seconds" {
			if sum := family.GetMetric()[0].GetHistogram().GetSampleSum(); sum != 0 {
				t.Errorf("lateness sums to %v, want 0", sum)
			}
			return
		}
	}
	t.Error("no lateness gathered")
}
