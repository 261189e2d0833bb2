package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// family describes one metric, for the registry and for docs/metrics.md.
type family struct {
	name   string
	help   string   // what the value means, for an operator
	advice string   // what to do about it; empty where nothing is to be done
	labels []string // names of the labels, in the order of the values

	buckets []float64 // upper bounds in seconds, of histograms only
}

// factory creates metrics from their descriptions and registers them.
type factory struct {
	registry prometheus.Registerer
	families []family
}

func (f *factory) counter(description family) *prometheus.CounterVec {
	counter := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: description.name,
		Help: description.help,
	}, description.labels)
	f.register(description, counter)
	return counter
}

func (f *factory) gauge(description family) *prometheus.GaugeVec {
	gauge := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: description.name,
		Help: description.help,
	}, description.labels)
	f.register(description, gauge)
	return gauge
}

// Limits of native histograms: a resolution of at most ten percent, and a maximum
// number of buckets. Beyond it the resolution is lowered or, at most once an hour, the
// histogram is reset.
const (
	nativeBucketFactor     = 1.1
	nativeBuckets          = 160
	nativeMinResetInterval = time.Hour
)

// histogram creates a histogram with classic buckets and, for scrapers that support
// them, native ones.
func (f *factory) histogram(description family) *prometheus.HistogramVec {
	histogram := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:                            description.name,
		Help:                            description.help,
		Buckets:                         description.buckets,
		NativeHistogramBucketFactor:     nativeBucketFactor,
		NativeHistogramMaxBucketNumber:  nativeBuckets,
		NativeHistogramMinResetDuration: nativeMinResetInterval,
	}, description.labels)
	f.register(description, histogram)
	return histogram
}

func (f *factory) register(description family, collector prometheus.Collector) {
	f.registry.MustRegister(collector)
	f.families = append(f.families, description)
}
