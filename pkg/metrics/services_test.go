package metrics

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
)

var (
	web = types.NamespacedName{Namespace: "default", Name: "web"}
	db  = types.NamespacedName{Namespace: "default", Name: "db"}
)

// sums returns the gauges that add up all Services, with keys such as "name/label value".
func sums(t *testing.T, registry prometheus.Gatherer) map[string]float64 {
	t.Helper()
	gathered, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	result := map[string]float64{}
	for _, family := range gathered {
		name := strings.TrimPrefix(family.GetName(), "external_workload_")
		switch name {
		case "endpoints", "endpoint_slices", "skipped":
			for _, metric := range family.GetMetric() {
				result[name+"/"+metric.GetLabel()[0].GetValue()] = metric.GetGauge().GetValue()
			}
		}
	}
	return result
}

func TestServicesAreSummed(t *testing.T) {
	full := ServiceObserved{
		EndpointsDesired: 5, EndpointsActual: 4, SlicesDesired: 3, SlicesActual: 2,
		Skipped: map[string]int{"NoAddress": 2, "NoPort": 1},
	}
	for name, test := range map[string]struct {
		steps func(*Metrics)
		want  map[string]float64
	}{
		"nothing observed": {
			steps: func(*Metrics) {},
			want: map[string]float64{
				"endpoints/desired": 0, "endpoints/actual": 0,
				"endpoint_slices/desired": 0, "endpoint_slices/actual": 0,
			},
		},
		"two Services add up": {
			steps: func(m *Metrics) {
				m.ServiceObserved(web, full)
				m.ServiceObserved(db, ServiceObserved{EndpointsDesired: 1, SlicesDesired: 1, Skipped: map[string]int{"NoPort": 1}})
			},
			want: map[string]float64{
				"endpoints/desired": 6, "endpoints/actual": 4,
				"endpoint_slices/desired": 4, "endpoint_slices/actual": 2,
				"skipped/NoAddress": 2, "skipped/NoPort": 2,
			},
		},
		"a second observation replaces the first": {
			steps: func(m *Metrics) {
				m.ServiceObserved(web, full)
				m.ServiceObserved(web, ServiceObserved{
					EndpointsDesired: 1, EndpointsActual: 1, SlicesDesired: 1, SlicesActual: 1,
					Skipped: map[string]int{"NoPort": 4, "NotUnicast": 1},
				})
			},
			want: map[string]float64{
				"endpoints/desired": 1, "endpoints/actual": 1,
				"endpoint_slices/desired": 1, "endpoint_slices/actual": 1,
				"skipped/NoAddress": 0, "skipped/NoPort": 4, "skipped/NotUnicast": 1,
			},
		},
		"the caller may change its map afterwards": {
			steps: func(m *Metrics) {
				skipped := map[string]int{"NoPort": 1}
				m.ServiceObserved(web, ServiceObserved{Skipped: skipped})
				skipped["NoPort"] = 7
				m.ServiceObserved(web, ServiceObserved{Skipped: skipped})
			},
			want: map[string]float64{
				"endpoints/desired": 0, "endpoints/actual": 0,
				"endpoint_slices/desired": 0, "endpoint_slices/actual": 0,
				"skipped/NoPort": 7,
			},
		},
		"a deleted Service leaves zeros, also when deleted twice": {
			steps: func(m *Metrics) {
				m.ServiceObserved(web, full)
				m.ServiceForgotten(web)
				m.ServiceForgotten(web)
			},
			want: map[string]float64{
				"endpoints/desired": 0, "endpoints/actual": 0,
				"endpoint_slices/desired": 0, "endpoint_slices/actual": 0,
				"skipped/NoAddress": 0, "skipped/NoPort": 0,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			m, registry := newMetrics()
			test.steps(m)
			if diff := cmp.Diff(test.want, sums(t, registry)); diff != "" {
				t.Errorf("unexpected sums (-want +got):\n%s", diff)
			}
		})
	}
}

func TestObservingTheSameAgainAllocatesNothing(t *testing.T) {
	m, _ := newMetrics()
	observed := ServiceObserved{EndpointsDesired: 1, Skipped: map[string]int{"NoPort": 1}}
	m.ServiceObserved(web, observed)
	if allocations := testing.AllocsPerRun(100, func() { m.ServiceObserved(web, observed) }); allocations != 0 {
		t.Errorf("%v allocations, want none", allocations)
	}
}

func TestServicesAreObservedConcurrently(t *testing.T) {
	m, registry := newMetrics()
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			key := types.NamespacedName{Namespace: "default", Name: fmt.Sprint(worker)}
			for count := range 100 {
				m.ServiceObserved(key, ServiceObserved{EndpointsDesired: count})
				m.ServiceObserved(web, ServiceObserved{EndpointsDesired: count})
			}
			m.ServiceForgotten(key)
		})
	}
	group.Wait()
	m.ServiceForgotten(web)
	if wanted := sums(t, registry)["endpoints/desired"]; wanted != 0 {
		t.Errorf("%v endpoints wanted by no Service", wanted)
	}
}
