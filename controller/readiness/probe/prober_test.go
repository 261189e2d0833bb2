package probe

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/external-workload/controller/internal/loopback"
)

// brief is the timeout of probes that are expected to time out.
const brief = 200 * time.Millisecond

// at makes a probe of an address.
func at(kind Kind, address net.Addr, changes ...func(*Spec)) *Spec {
	host, portText, _ := net.SplitHostPort(address.String())
	port, _ := strconv.ParseUint(portText, 10, 16)
	made := &Spec{Kind: kind, Targets: []Target{{Host: host, Port: uint16(port)}}, Timeout: 10 * time.Second}
	if kind == HTTP {
		made.Request = &Request{Path: &url.URL{Path: "/"}, Header: http.Header{}}
	}
	for _, change := range changes {
		change(made)
	}
	return made
}

func within(timeout time.Duration) func(*Spec) { return func(s *Spec) { s.Timeout = timeout } }
func path(path string) func(*Spec)             { return func(s *Spec) { s.Request.Path.Path = path } }
func byName(host string) func(*Spec)           { return func(s *Spec) { s.Targets[0].Host = host } }
func overTLS(s *Spec)                          { s.Secure, s.ServerName = true, "vm.example.org" }

// closedPort returns an address without a listener.
func closedPort(t testing.TB) net.Addr {
	t.Helper()
	listener := listenAt(t, loopback.Own().String()) // where nobody else can take the port
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return listener.Addr()
}

// web returns an HTTP server with a page for each case.
func web(t testing.TB) *http.ServeMux {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/status/{code}", func(w http.ResponseWriter, r *http.Request) {
		code, _ := strconv.Atoi(r.PathValue("code"))
		w.WriteHeader(code)
	})
	mux.HandleFunc("/endless", func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("/hop/{n}", func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.PathValue("n"))
		if n == 0 {
			return
		}
		http.Redirect(w, r, fmt.Sprintf("/hop/%d", n-1), http.StatusFound)
	})
	mux.HandleFunc("/elsewhere", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://169.254.169.254/latest", http.StatusFound)
	})
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "shop" || r.Header.Get("X-One") != "1" {
			w.WriteHeader(http.StatusBadRequest)
		}
	})
	mux.HandleFunc("/slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	return mux
}

func TestHTTP(t *testing.T) {
	plain := httptest.NewServer(web(t))
	t.Cleanup(plain.Close)
	secure := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS.ServerName != "vm.example.org" {
			w.WriteHeader(http.StatusMisdirectedRequest)
		}
	}))
	secure.StartTLS()
	t.Cleanup(secure.Close)
	plainAt, secureAt := plain.Listener.Addr(), secure.Listener.Addr()

	for name, test := range map[string]struct {
		spec *Spec
		want Result
	}{
		"200 succeeds":                       {spec: at(HTTP, plainAt, path("/status/200")), want: Result{Outcome: Success}},
		"204 succeeds":                       {spec: at(HTTP, plainAt, path("/status/204")), want: Result{Outcome: Success}},
		"399 succeeds with a warning":        {spec: at(HTTP, plainAt, path("/status/399")), want: Result{Outcome: Success, Warning: true, Message: "HTTP status 399: redirects to other hosts are not followed"}},
		"400 fails":                          {spec: at(HTTP, plainAt, path("/status/400")), want: Result{Outcome: Failure, Message: "HTTP status 400"}},
		"503 fails":                          {spec: at(HTTP, plainAt, path("/status/503")), want: Result{Outcome: Failure, Message: "HTTP status 503"}},
		"an endless body does not matter":    {spec: at(HTTP, plainAt, path("/endless")), want: Result{Outcome: Success}},
		"redirects on the host are followed": {spec: at(HTTP, plainAt, path("/hop/9")), want: Result{Outcome: Success}},
		"endless redirects fail":             {spec: at(HTTP, plainAt, path("/hop/1000")), want: Result{Outcome: Failure, Message: "stopped after 10 redirects"}},
		"a redirect elsewhere is a success with a warning": {
			spec: at(HTTP, plainAt, path("/elsewhere")),
			want: Result{Outcome: Success, Warning: true, Message: "HTTP status 302: redirects to other hosts are not followed"},
		},
		"header fields are sent": {
			spec: at(HTTP, plainAt, path("/echo"), func(s *Spec) { s.Request.Host, s.Request.Header = "shop", http.Header{"X-One": {"1"}} }),
			want: Result{Outcome: Success},
		},
		"a server that does not answer":              {spec: at(HTTP, plainAt, path("/slow"), within(brief)), want: Result{Outcome: Timeout, Message: "no answer within 200ms"}},
		"HTTPS is not verified and has SNI":          {spec: at(HTTP, secureAt, overTLS), want: Result{Outcome: Success}},
		"HTTPS to a plain server":                    {spec: at(HTTP, plainAt, overTLS), want: Result{Outcome: Failure, Message: "TLS: the answer is not TLS"}},
		"HTTP to a TLS server":                       {spec: at(HTTP, secureAt), want: Result{Outcome: Failure, Message: "HTTP status 400"}},
		"no listener":                                {spec: at(HTTP, closedPort(t)), want: Result{Outcome: Failure, Message: "connection refused"}},
		"a host that does not resolve":               {spec: at(HTTP, plainAt, byName("vm.invalid")), want: Result{Outcome: Failure, Message: "host vm.invalid cannot be resolved"}},
		"a name for a loopback address is permitted": {spec: at(HTTP, plainAt, path("/status/200"), byName("localhost")), want: Result{Outcome: Success}},
	} {
		t.Run(name, func(t *testing.T) {
			got := NewProber(AddressPolicy{AllowLoopback: true}).Probe(t.Context(), test.spec, test.spec.Targets[0])
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestGRPC(t *testing.T) {
	server, service := grpc.NewServer(), health.NewServer()
	service.SetServingStatus("shop", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	grpc_health_v1.RegisterHealthServer(server, service)
	bare := grpc.NewServer()
	listener, bareListener := listen(t), listen(t)
	go func() { _ = server.Serve(listener) }()
	go func() { _ = bare.Serve(bareListener) }()
	t.Cleanup(server.Stop)
	t.Cleanup(bare.Stop)
	about := func(service string) func(*Spec) { return func(s *Spec) { s.Service = service } }

	for name, test := range map[string]struct {
		spec *Spec
		want Result
	}{
		"a server that serves":          {spec: at(GRPC, listener.Addr()), want: Result{Outcome: Success}},
		"a service that does not serve": {spec: at(GRPC, listener.Addr(), about("shop")), want: Result{Outcome: Failure, Message: "gRPC health is NOT_SERVING"}},
		"an unknown service":            {spec: at(GRPC, listener.Addr(), about("bar")), want: Result{Outcome: Failure, Message: `the server does not know the service "bar"`}},
		"a server without health":       {spec: at(GRPC, bareListener.Addr()), want: Result{Outcome: Failure, Message: "the server does not know the gRPC health protocol"}},
		"no listener":                   {spec: at(GRPC, closedPort(t)), want: Result{Outcome: Failure, Message: "connection refused"}},
		"a server that does not answer": {spec: at(GRPC, serve(t, hang), within(brief)), want: Result{Outcome: Timeout, Message: "no answer within 200ms"}},
		"a server that sends garbage":   {spec: at(GRPC, serve(t, garbage), within(brief)), want: Result{Outcome: Failure, Message: "the answer is not HTTP/2"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := NewProber(AddressPolicy{AllowLoopback: true}).Probe(t.Context(), test.spec, test.spec.Targets[0])
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestAddressPolicyAppliesToTheResolvedAddress(t *testing.T) {
	server := httptest.NewServer(http.RedirectHandler("/", http.StatusFound))
	t.Cleanup(server.Close)
	address := server.Listener.Addr()
	for name, spec := range map[string]*Spec{
		"TCP":            at(TCP, address),
		"HTTP":           at(HTTP, address),
		"gRPC":           at(GRPC, address),
		"TCP by a name":  at(TCP, address, byName("localhost")),
		"HTTP by a name": at(HTTP, address, byName("localhost")),
	} {
		t.Run(name, func(t *testing.T) {
			got := NewProber(AddressPolicy{}).Probe(t.Context(), spec, spec.Targets[0])
			if got.Outcome != Refused || !strings.Contains(got.Message, "must not be probed: it is a loopback address") {
				t.Errorf("got %+v, want it refused", got)
			}
		})
	}
}

func TestProbeEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	spec := at(TCP, serve(t, hang))
	if got := NewProber(AddressPolicy{AllowLoopback: true}).Probe(ctx, spec, spec.Targets[0]); got.Outcome == Success {
		t.Errorf("got %+v although the context was cancelled", got)
	}
}
