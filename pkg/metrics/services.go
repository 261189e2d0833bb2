package metrics

import (
	"maps"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
)

// ServiceObserved is what one sync observed of one Service.
type ServiceObserved struct {
	// EndpointsDesired and EndpointsActual count the desired endpoints and those in the
	// Service's slices.
	EndpointsDesired, EndpointsActual int
	// SlicesDesired and SlicesActual count the slices of these endpoints.
	SlicesDesired, SlicesActual int
	// Skipped counts workloads that are not published, by reason.
	Skipped map[string]int
}

func (o ServiceObserved) equal(other ServiceObserved) bool {
	return o.EndpointsDesired == other.EndpointsDesired &&
		o.EndpointsActual == other.EndpointsActual &&
		o.SlicesDesired == other.SlicesDesired &&
		o.SlicesActual == other.SlicesActual &&
		maps.Equal(o.Skipped, other.Skipped)
}

// ServiceObserved replaces the observation of the Service. Its cost does not depend on
// the number of Services, and it allocates nothing if nothing changed. The map is
// copied.
func (m *Metrics) ServiceObserved(key types.NamespacedName, observed ServiceObserved) {
	m.services.observe(key, observed)
}

// ServiceForgotten removes the Service from all sums. An unknown Service is ignored.
func (m *Metrics) ServiceForgotten(key types.NamespacedName) {
	m.services.forget(key)
}

// services sums the observations of all Services into gauges.
type services struct {
	endpointsDesired, endpointsActual prometheus.Gauge
	slicesDesired, slicesActual       prometheus.Gauge
	skipped                           *prometheus.GaugeVec

	mu       sync.Mutex
	observed map[types.NamespacedName]ServiceObserved
}

func newServices(p publishing) *services {
	return &services{
		endpointsDesired: p.endpoints.WithLabelValues("desired"),
		endpointsActual:  p.endpoints.WithLabelValues("actual"),
		slicesDesired:    p.endpointSlices.WithLabelValues("desired"),
		slicesActual:     p.endpointSlices.WithLabelValues("actual"),
		skipped:          p.skipped,
		observed:         map[types.NamespacedName]ServiceObserved{},
	}
}

func (s *services) observe(key types.NamespacedName, observed ServiceObserved) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, known := s.observed[key]
	if known && before.equal(observed) {
		return
	}
	observed.Skipped = maps.Clone(observed.Skipped)
	s.observed[key] = observed
	s.replace(before, observed)
}

func (s *services) forget(key types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replace(s.observed[key], ServiceObserved{})
	delete(s.observed, key)
}

// replace changes each sum by the difference, in one step, so that a scrape never
// misses a Service. Counts are small integers, so sums have no rounding errors.
func (s *services) replace(before, after ServiceObserved) {
	s.endpointsDesired.Add(float64(after.EndpointsDesired - before.EndpointsDesired))
	s.endpointsActual.Add(float64(after.EndpointsActual - before.EndpointsActual))
	s.slicesDesired.Add(float64(after.SlicesDesired - before.SlicesDesired))
	s.slicesActual.Add(float64(after.SlicesActual - before.SlicesActual))
	for reason, count := range after.Skipped {
		s.skipped.WithLabelValues(reason).Add(float64(count - before.Skipped[reason]))
	}
	for reason, count := range before.Skipped {
		if _, stays := after.Skipped[reason]; !stays {
			s.skipped.WithLabelValues(reason).Sub(float64(count))
		}
	}
}
