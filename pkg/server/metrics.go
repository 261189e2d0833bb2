package server

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/pprof"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"k8s.io/klog/v2"
)

// maxScrapes is the maximum number of concurrent scrapes.
const maxScrapes = 4

// handleMetrics adds /metrics and, if configured, the profiles to the mux. The TLS
// config is nil for plain HTTP.
func handleMetrics(mux *http.ServeMux, config Config) (*tls.Config, error) {
	protect := func(handler http.Handler) http.Handler { return handler }
	var tlsConfig *tls.Config
	if !config.Plain {
		source, err := newCertificateSource(config.CertificateFile, config.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("metrics certificate: %w", err)
		}
		tlsConfig = &tls.Config{
			MinVersion:     tls.VersionTLS12,
			NextProtos:     []string{"h2", "http/1.1"},
			GetCertificate: source.certificate,
		}
		protect = newGuard(config.TokenReviews, config.AccessReviews).protect
	}
	mux.Handle("GET /metrics", protect(promhttp.HandlerFor(config.Gatherer, promhttp.HandlerOpts{
		ErrorLog:            scrapeLog{},
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: maxScrapes,
		EnableOpenMetrics:   true,
	})))
	if config.Profiling {
		mux.Handle("GET /debug/pprof/", protect(http.HandlerFunc(pprof.Index)))
		mux.Handle("GET /debug/pprof/cmdline", protect(http.HandlerFunc(pprof.Cmdline)))
		mux.Handle("GET /debug/pprof/profile", protect(http.HandlerFunc(pprof.Profile)))
		mux.Handle("GET /debug/pprof/symbol", protect(http.HandlerFunc(pprof.Symbol)))
		mux.Handle("GET /debug/pprof/trace", protect(http.HandlerFunc(pprof.Trace)))
	}
	return tlsConfig, nil
}

// scrapeLog logs metrics that could not be gathered; the others are served. It uses the
// process's logger, because promhttp passes no context.
type scrapeLog struct{}

func (scrapeLog) Println(problem ...any) {
	klog.Background().Error(nil, "Metrics are incomplete", "problem", fmt.Sprint(problem...))
}
