package endpointslice

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/external-workload/controller/internal/apifake"
	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/failure"
	"github.com/external-workload/controller/pkg/metrics"
)

func TestSkippedWorkloadIsReportedOnce(t *testing.T) {
	bad := build.Workload("shop/bad", build.IPs("127.0.0.1"))
	inWorld(t, given(build.Service("shop/web"), build.Workload("shop/a"), bad), func(w *world) {
		mustRecord := func(want ...string) {
			t.Helper()
			if diff := cmp.Diff(want, w.takeEvents()); diff != "" {
				t.Errorf("Events: -want +got\n%s", diff)
			}
		}
		mustRecord("ExternalWorkload bad: InvalidAddress: not published as IPv4: 127.0.0.1 is a loopback address, which no other machine can reach; correct spec.workloadIPs")
		w.put(build.Workload("shop/a", build.NotReady()))
		w.put(build.Workload("shop/bad", build.IPs("127.0.0.1"), build.NotReady()))
		w.pass(time.Hour)
		mustRecord()
		w.put(build.Workload("shop/bad", build.IPs("192.0.2.8"), build.WorkloadPorts()))
		mustRecord("ExternalWorkload bad: NoMatchingPort: not published for Service web: the workload has none of its target ports (8080/TCP); add the port to spec.ports or correct the Service's targetPort")
		w.put(build.Workload("shop/bad", build.IPs("192.0.2.8")))
		mustRecord("ExternalWorkload bad: Published: published for Service web")
		w.put(bad)
		w.takeEvents()
		w.remove("workload bad")
		mustRecord()
	})
}

func TestFailureAndItsEndAreReportedOnce(t *testing.T) {
	inWorld(t, given(build.Service("shop/web")), func(w *world) {
		w.api.Fail(failing("create", apifake.Failure{Err: apierrors.NewForbidden(endpointSlices, "", errors.New("not allowed"))}))
		w.put(build.Workload("shop/a"))
		w.pass(time.Hour)
		got := w.takeEvents()
		if len(got) != 1 || !strings.HasPrefix(got[0], "Service web: PublishingFailed: EndpointSlices cannot be written: ") || !strings.HasSuffix(got[0], advice(failure.Forbidden)) {
			t.Errorf("Events are %q", got)
		}
		w.api.Fail(nil)
		w.pass(time.Hour)
		if diff := cmp.Diff([]string{"Service web: PublishingRecovered: EndpointSlices can be written again"}, w.takeEvents()); diff != "" {
			t.Errorf("Events: -want +got\n%s", diff)
		}
	})
}

func TestLatencyCountsFromTheChange(t *testing.T) {
	inWorld(t, given(build.Service("shop/web")), func(w *world) {
		w.api.Fail(failing("create", apifake.Failure{Err: apierrors.NewInternalError(errors.New("away"))}))
		changed := time.Now()
		w.put(build.Workload("shop/a"))
		w.pass(time.Minute)
		w.api.Fail(nil)
		w.pass(2 * time.Minute)
		w.do(func() {
			if len(w.latency) != 1 || w.latency[0] < time.Minute || w.latency[0] > 3*time.Minute {
				t.Errorf("latencies are %v", w.latency)
			}
		})
		trigger := w.slice().Annotations[corev1.EndpointsLastChangeTriggerTime]
		if want := changed.UTC().Format(time.RFC3339Nano); trigger != want {
			t.Errorf("the trigger time is %s, want %s", trigger, want)
		}
	})
}

func TestMetrics(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	observer := metrics.New(registry)
	names := []string{
		"external_workload_endpoints", "external_workload_endpoint_slices", "external_workload_skipped",
	}
	compare := func(t *testing.T, want string) {
		t.Helper()
		if err := testutil.GatherAndCompare(registry, strings.NewReader(want), names...); err != nil {
			t.Error(err)
		}
	}
	inWorldWith(t, given(
		build.Service("shop/web"),
		build.Workload("shop/a"),
		build.Workload("shop/b", build.IPs("192.0.2.2")),
		build.Workload("shop/bad", build.IPs("::1")),
	), func(config *Config) { config.Observer = observer }, func(w *world) {
		compare(t, sums(2, 1, 1))
		w.remove("workload b", "workload bad")
		compare(t, sums(1, 1, 0))
		w.remove("service web")
		compare(t, sums(0, 0, 0))
	})
}

// sums returns the metrics of all Services: the numbers of desired and actual endpoints
// and slices, and the number of skipped workloads.
func sums(endpoints, slices, skipped int) string {
	return fmt.Sprintf(`
# HELP external_workload_endpoint_slices Number of EndpointSlices of all Services: desired and actual.
# TYPE external_workload_endpoint_slices gauge
external_workload_endpoint_slices{state="actual"} %[2]d
external_workload_endpoint_slices{state="desired"} %[2]d
# HELP external_workload_endpoints Number of endpoints of all Services: desired, and actual in EndpointSlices.
# TYPE external_workload_endpoints gauge
external_workload_endpoints{state="actual"} %[1]d
external_workload_endpoints{state="desired"} %[1]d
# HELP external_workload_skipped Number of workloads that a Service selects and that are not published, by reason; a workload counts once for each Service.
# TYPE external_workload_skipped gauge
external_workload_skipped{reason="NoAddress"} %[3]d
`, endpoints, slices, skipped)
}
