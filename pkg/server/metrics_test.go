package server

import (
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

// testRegistry has a histogram that is both classic and native.
func testRegistry() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	latency := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "latency_seconds", Help: "Latency.", Buckets: []float64{1}, NativeHistogramBucketFactor: 1.1,
	})
	latency.Observe(0.5)
	registry.MustRegister(latency)
	return registry
}

func TestFormats(t *testing.T) {
	server := start(t, Config{MetricsAddress: anyPort, Plain: true, Gatherer: testRegistry()})
	client := newClient(t, &http.Transport{})
	url := "http://" + server.MetricsAddr().String() + "/metrics"
	for name, test := range map[string]struct{ accept, wantType, wantBody string }{
		"text":        {"", "text/plain", `latency_seconds_bucket{le="1"} 1`},
		"OpenMetrics": {"application/openmetrics-text; version=1.0.0", "application/openmetrics-text", "# EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			response, body := get(t, client, url, http.Header{"Accept": {test.accept}})
			if contentType := response.Header.Get("Content-Type"); !strings.HasPrefix(contentType, test.wantType) {
				t.Errorf("content type %q, want %q", contentType, test.wantType)
			}
			if !strings.Contains(body, test.wantBody) {
				t.Errorf("%q is missing in:\n%s", test.wantBody, body)
			}
		})
	}
}

func TestNativeHistogramsComeByProtobuf(t *testing.T) {
	server := start(t, Config{MetricsAddress: anyPort, Plain: true, Gatherer: testRegistry()})
	accept := "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
	response, body := get(t, newClient(t, &http.Transport{}), "http://"+server.MetricsAddr().String()+"/metrics", http.Header{"Accept": {accept}})
	var family dto.MetricFamily
	if err := expfmt.NewDecoder(strings.NewReader(body), expfmt.ResponseFormat(response.Header)).Decode(&family); err != nil {
		t.Fatal(err)
	}
	histogram := family.GetMetric()[0].GetHistogram()
	if len(histogram.GetPositiveSpan()) == 0 || len(histogram.GetBucket()) == 0 {
		t.Errorf("want native and classic buckets in %v", histogram)
	}
}

func TestAMetricThatFailsDoesNotHideTheOthers(t *testing.T) {
	registry := testRegistry()
	broken := prometheus.NewInvalidMetric(prometheus.NewDesc("broken", "Broken.", nil, nil), errors.New("broken"))
	gatherers := prometheus.Gatherers{registry, prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		return nil, broken.Write(&dto.Metric{})
	})}
	server := start(t, Config{MetricsAddress: anyPort, Plain: true, Gatherer: gatherers})
	response, body := get(t, newClient(t, &http.Transport{}), "http://"+server.MetricsAddr().String()+"/metrics", nil)
	if response.StatusCode != http.StatusOK || !strings.Contains(body, "latency_seconds") {
		t.Errorf("%d %q", response.StatusCode, body)
	}
}

func TestSecureServing(t *testing.T) {
	server := start(t, secure(Config{HealthAddress: anyPort, Profiling: true}))
	client := newClient(t, &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true,
	})
	base := "https://" + server.MetricsAddr().String()
	token := func(value string) http.Header { return http.Header{"Authorization": {"Bearer " + value}} }

	response, body := get(t, client, base+"/metrics", token("good"))
	if response.StatusCode != http.StatusOK || !strings.Contains(body, "latency_seconds") {
		t.Errorf("with a good token: %d %q", response.StatusCode, body)
	}
	if response.ProtoMajor != 2 {
		t.Errorf("served by %s, want HTTP/2", response.Proto)
	}
	for path, want := range map[string]int{"/metrics": 401, "/debug/pprof/": 401, "/debug/pprof/profile": 401, "/debug/pprof/heap": 401} {
		if response, _ := get(t, client, base+path, nil); response.StatusCode != want {
			t.Errorf("%s without token: status %d, want %d", path, response.StatusCode, want)
		}
	}
	if response, _ := get(t, client, base+"/debug/pprof/cmdline", token("good")); response.StatusCode != http.StatusForbidden {
		t.Errorf("profiles with a token for metrics: status %d, want 403", response.StatusCode)
	}
	expect(t, newClient(t, &http.Transport{}), server.HealthAddr(), map[string]int{"/livez": 200, "/readyz": 200, "/metrics": 404})
}

func TestOldTLSIsRefused(t *testing.T) {
	server := start(t, secure(Config{}))
	connection, err := tls.Dial("tcp", server.MetricsAddr().String(), &tls.Config{
		InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11,
	})
	if err == nil {
		_ = connection.Close()
		t.Error("TLS 1.1 was accepted")
	}
}

func TestGivenCertificatesAreShown(t *testing.T) {
	directory := t.TempDir()
	config := secure(Config{CertificateFile: directory + "/tls.crt", KeyFile: directory + "/tls.key"})
	want := writePair(t, config.CertificateFile, config.KeyFile, time.Now())
	server := start(t, config)
	connection, err := tls.Dial("tcp", server.MetricsAddr().String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	if !connection.ConnectionState().PeerCertificates[0].Equal(want) {
		t.Error("another certificate is shown")
	}
}

func TestPlainTextOnTheSecureAddressIsRefused(t *testing.T) {
	server := start(t, secure(Config{}))
	response, err := newClient(t, &http.Transport{}).Get("http://" + server.MetricsAddr().String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, _ := io.ReadAll(response.Body)
	if response.StatusCode != http.StatusBadRequest || strings.Contains(string(body), "latency_seconds") {
		t.Errorf("%d %q", response.StatusCode, body)
	}
}
