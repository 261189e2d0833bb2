package server

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const anyPort = "127.0.0.1:0"

// start runs a server until the test ends and checks that it ends without an error.
func start(t *testing.T, config Config) *Server {
	t.Helper()
	return startIn(t, t.Context(), config)
}

func startIn(t *testing.T, ctx context.Context, config Config) *Server {
	t.Helper()
	server, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	return server
}

// newClient returns a client whose connections are closed at the end of the test.
func newClient(t *testing.T, transport *http.Transport) *http.Client {
	t.Helper()
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// get returns the response and its body.
func get(t *testing.T, client *http.Client, url string, header http.Header) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		request.Header = header
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

func TestEndpointsAreServedWhereTheyAreAskedFor(t *testing.T) {
	for name, test := range map[string]struct {
		health, metrics         string
		healthServes, onMetrics map[string]int
	}{
		"nothing": {health: Off},
		"only health": {
			health:       anyPort,
			healthServes: map[string]int{"/livez": 200, "/readyz": 200, "/metrics": 404, "/": 404},
		},
		"only metrics": {
			health: Off, metrics: anyPort,
			onMetrics: map[string]int{"/metrics": 200, "/livez": 404, "/debug/pprof/": 404, "/debug/pprof/cmdline": 404},
		},
		"both on one address": {
			health: "127.0.0.1:0", metrics: "127.0.0.1:0",
			healthServes: map[string]int{"/livez": 200, "/readyz": 200, "/metrics": 200},
			onMetrics:    map[string]int{"/livez": 200, "/readyz": 200, "/metrics": 200},
		},
		"each on its own address": {
			health: "127.0.0.1:0", metrics: "localhost:0",
			healthServes: map[string]int{"/livez": 200, "/readyz": 200, "/metrics": 404},
			onMetrics:    map[string]int{"/livez": 404, "/metrics": 200},
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := start(t, Config{
				HealthAddress: test.health, MetricsAddress: test.metrics, Plain: true, Gatherer: prometheus.NewRegistry(),
			})
			client := newClient(t, &http.Transport{})
			expect(t, client, server.HealthAddr(), test.healthServes)
			expect(t, client, server.MetricsAddr(), test.onMetrics)
		})
	}
}

func expect(t *testing.T, client *http.Client, address net.Addr, statuses map[string]int) {
	t.Helper()
	if (address == nil) != (statuses == nil) {
		t.Fatalf("the address is %v, want one that serves %v", address, statuses)
	}
	for path, want := range statuses {
		if response, _ := get(t, client, "http://"+address.String()+path, nil); response.StatusCode != want {
			t.Errorf("%s: status %d, want %d", path, response.StatusCode, want)
		}
	}
}

func TestProfilesAreServedWhenAskedFor(t *testing.T) {
	server := start(t, Config{MetricsAddress: anyPort, Plain: true, Profiling: true, Gatherer: prometheus.NewRegistry()})
	client := newClient(t, &http.Transport{})
	expect(t, client, server.MetricsAddr(), map[string]int{
		"/debug/pprof/": 200, "/debug/pprof/goroutine": 200, "/debug/pprof/cmdline": 200, "/debug/pprof/symbol": 200,
		"/debug/pprof/profile?seconds=1": 200, "/debug/pprof/trace?seconds=0.01": 200,
	})
}

func TestMistakesInTheConfigAreNamed(t *testing.T) {
	registry := prometheus.NewRegistry()
	for name, test := range map[string]struct {
		config Config
		want   string
	}{
		"no gatherer":                {Config{MetricsAddress: anyPort, Plain: true}, "no gatherer"},
		"no clients":                 {Config{MetricsAddress: anyPort, Gatherer: registry}, "needs clients"},
		"one address, not plain":     {Config{HealthAddress: ":8443", MetricsAddress: ":8443", Gatherer: registry}, "one address"},
		"a certificate without key":  {secure(Config{CertificateFile: "tls.crt"}), "both the certificate file and the key file"},
		"a key without certificate":  {secure(Config{KeyFile: "tls.key"}), "both the certificate file and the key file"},
		"files that do not exist":    {secure(Config{CertificateFile: "no.crt", KeyFile: "no.key"}), `read certificate "no.crt"`},
		"an invalid health address":  {Config{HealthAddress: "nowhere"}, `health address "nowhere"`},
		"an invalid metrics address": {Config{MetricsAddress: "nowhere", Plain: true, Gatherer: registry}, `metrics address "nowhere"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(test.config)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestATakenAddressFailsAtOnceAndLeavesNothingBound(t *testing.T) {
	taken, err := net.Listen("tcp", anyPort)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	free, err := net.Listen("tcp", anyPort)
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}

	_, err = New(Config{
		HealthAddress: taken.Addr().String(), MetricsAddress: address, Plain: true, Gatherer: prometheus.NewRegistry(),
	})
	if err == nil || !strings.Contains(err.Error(), `health address "`+taken.Addr().String()+`"`) {
		t.Errorf("error %v, want one that names the health address", err)
	}
	again, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatalf("the metrics address is still bound: %v", err)
	}
	_ = again.Close()
}

func TestAListenerThatBreaksEndsTheRun(t *testing.T) {
	server, err := New(Config{HealthAddress: anyPort, MetricsAddress: "localhost:0", Plain: true, Gatherer: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.health.close(); err != nil {
		t.Fatal(err)
	}
	if err := server.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "serve health") {
		t.Errorf("error %v, want one about health", err)
	}
}

// pipeListener connects clients and a server inside a synctest bubble, in which sockets
// would stop the clock.
type pipeListener struct {
	connections chan net.Conn
	closed      context.Context
	close       context.CancelFunc
}

func newPipeListener() *pipeListener {
	closed, cancel := context.WithCancel(context.Background())
	return &pipeListener{connections: make(chan net.Conn), closed: closed, close: cancel}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case connection := <-l.connections:
		return connection, nil
	case <-l.closed.Done():
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error { l.close(); return nil }

func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.connections <- server:
		return client, nil
	case <-l.closed.Done():
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func TestShutdown(t *testing.T) {
	for name, test := range map[string]struct {
		takes      time.Duration // of the request in flight, after the end of ctx
		wantAfter  time.Duration // until both the run and the request have ended
		wantServed bool
	}{
		"waits for a request in flight":        {takes: time.Second, wantAfter: 2 * time.Second, wantServed: true},
		"cuts off a request that takes longer": {takes: time.Hour, wantAfter: shutdownTimeout, wantServed: false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				listener := newPipeListener()
				handler := http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
					select {
					case <-time.After(test.takes):
					case <-request.Context().Done():
					}
				})
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				server := &Server{health: &endpoint{name: "health", listener: listener, handler: handler}}
				go func() { ended <- server.Run(ctx) }()

				client := newClient(t, &http.Transport{DialContext: listener.dial, DisableKeepAlives: true})
				answered := make(chan error, 1)
				go func() {
					response, err := client.Get("http://health/")
					if err == nil {
						err = response.Body.Close()
					}
					answered <- err
				}()
				synctest.Wait()
				cancel()
				begin := time.Now()
				if err := <-ended; err != nil {
					t.Errorf("run: %v", err)
				}
				if err := <-answered; (err == nil) != test.wantServed {
					t.Errorf("served %t (%v), want %t", err == nil, err, test.wantServed)
				}
				if after := time.Since(begin); after > test.wantAfter {
					t.Errorf("the end took %v, want at most %v", after, test.wantAfter)
				}
				if _, err := client.Get("http://health/"); !errors.Is(err, net.ErrClosed) {
					t.Errorf("after the end the error is %v, want a closed listener", err)
				}
			})
		})
	}
}
