package metrics

import (
	"maps"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
)

// ServiceObserved is what one sync found for one Service.
type ServiceObserved struct {
	// EndpointsWanted and EndpointsPresent count endpoints that should be and
	// that are in the Service's slices.
	EndpointsWanted, EndpointsPresent int
	// SlicesWanted and SlicesPresent count the slices that hold them.
	SlicesWanted, SlicesPresent int
	// Skipped counts workloads that are not published, by reason.
	Skipped map[string]int
}

func (o ServiceObserved) equal(other ServiceObserved) bool {
	return o.EndpointsWanted == other.EndpointsWanted &&
		o.EndpointsPresent == other.EndpointsPresent &&
		o.SlicesWanted == other.SlicesWanted &&
		o.SlicesPresent == other.SlicesPresent &&
		maps.Equal(o.Skipped, other.Skipped)
}

// ServiceObserved replaces what is known of the Service. It costs the same
// however many Services there are, and nothing is allocated when nothing
// changed. The map is copied.
func (m *Metrics) ServiceObserved(key types.NamespacedName, observed ServiceObserved) {
	m.services.observe(key, observed)
}

// ServiceForgotten takes the Service out of all sums. Unknown Services are no
// mistake.
func (m *Metrics) ServiceForgotten(key types.NamespacedName) {
	m.services.forget(key)
}

// services sums what was observed of each Service into gauges.
type services struct {
	endpointsWanted, endpointsPresent prometheus.Gauge
	slicesWanted, slicesPresent       prometheus.Gauge
	skipped                           *prometheus.GaugeVec

	mu       sync.Mutex
	observed map[types.NamespacedName]ServiceObserved
}

func newServices(p publishing) *services {
	return &services{
		endpointsWanted:  p.endpoints.WithLabelValues("wanted"),
		endpointsPresent: p.endpoints.WithLabelValues("present"),
		slicesWanted:     p.endpointSlices.WithLabelValues("wanted"),
		slicesPresent:    p.endpointSlices.WithLabelValues("present"),
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

// replace moves each sum by the difference in one step, so that a scrape never
// sees a Service left out. Counts are small integers, so that adding and
// taking away leaves no rounding behind.
func (s *services) replace(before, after ServiceObserved) {
	s.endpointsWanted.Add(float64(after.EndpointsWanted - before.EndpointsWanted))
	s.endpointsPresent.Add(float64(after.EndpointsPresent - before.EndpointsPresent))
	s.slicesWanted.Add(float64(after.SlicesWanted - before.SlicesWanted))
	s.slicesPresent.Add(float64(after.SlicesPresent - before.SlicesPresent))
	for reason, count := range after.Skipped {
		s.skipped.WithLabelValues(reason).Add(float64(count - before.Skipped[reason]))
	}
	for reason, count := range before.Skipped {
		if _, stays := after.Skipped[reason]; !stays {
			s.skipped.WithLabelValues(reason).Sub(float64(count))
		}
	}
}
