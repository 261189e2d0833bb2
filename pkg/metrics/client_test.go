package metrics

import (
	"context"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	clientmetrics "k8s.io/client-go/tools/metrics"
	"k8s.io/client-go/util/workqueue"
)

// registered is the Metrics to which client-go reports during the whole test process,
// however often the tests run in it.
var registered = sync.OnceValues(func() (*Metrics, *prometheus.Registry) {
	m, registry := newMetrics()
	m.RegisterClient()
	return m, registry
})

func TestTheFirstRegistrationWithTheClientIsTheOneThatCounts(t *testing.T) {
	first, _ := registered()
	second, _ := newMetrics()
	before := testutil.ToFloat64(first.client.requests.WithLabelValues("200", "GET", "a"))
	second.RegisterClient()
	first.RegisterClient()

	ctx, server := context.Background(), url.URL{Scheme: "https", Host: "a", Path: "/api"}
	clientmetrics.RequestResult.Increment(ctx, "200", "GET", "a")
	clientmetrics.RequestRetry.IncrementRetry(ctx, "429", "GET", "a")
	clientmetrics.RequestLatency.Observe(ctx, "GET", server, time.Second)
	clientmetrics.RateLimiterLatency.Observe(ctx, "GET", server, time.Second)

	if after := testutil.ToFloat64(first.client.requests.WithLabelValues("200", "GET", "a")); after != before+1 {
		t.Errorf("the first counts %v more requests, want 1", after-before)
	}
	if count := testutil.CollectAndCount(second.client.requests); count != 0 {
		t.Errorf("the second has %d series of requests, want none", count)
	}
	for name, collector := range map[string]prometheus.Collector{
		"retries": first.client.retries, "latency": first.client.latency, "rate limiter": first.client.rateLimiter,
	} {
		if testutil.CollectAndCount(collector) == 0 {
			t.Errorf("%s: nothing recorded", name)
		}
	}
}

func TestQueuesReportUnderTheirName(t *testing.T) {
	m, registry := newMetrics()
	queue := workqueue.NewTypedRateLimitingQueueWithConfig(
		workqueue.DefaultTypedControllerRateLimiter[string](),
		workqueue.TypedRateLimitingQueueConfig[string]{Name: "services", MetricsProvider: m.WorkqueueProvider()},
	)
	defer queue.ShutDown()
	queue.Add("one")
	queue.Add("two")
	key, _ := queue.Get()
	queue.Done(key)
	want := `
# HELP workqueue_adds_total Number of keys added to the queue.
# TYPE workqueue_adds_total counter
workqueue_adds_total{name="services"} 2
# HELP workqueue_depth Number of keys in the queue.
# TYPE workqueue_depth gauge
workqueue_depth{name="services"} 1
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "workqueue_adds_total", "workqueue_depth"); err != nil {
		t.Error(err)
	}
}
