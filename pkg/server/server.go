package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/klog/v2"
)

// Timeouts and limits of every connection. Profiles extend the write timeout
// themselves, by the requested number of seconds.
const (
	readHeaderTimeout    = 5 * time.Second
	readTimeout          = 10 * time.Second
	writeTimeout         = 30 * time.Second
	idleTimeout          = 2 * time.Minute
	maxHeaderBytes       = 32 << 10
	maxConcurrentStreams = 16

	// shutdownTimeout is the time for requests in flight during a shutdown.
	shutdownTimeout = 3 * time.Second
)

// Server serves health, metrics and profiles. Create it with New.
type Server struct {
	health  *endpoint
	metrics *endpoint
}

// endpoint is one listener and what it serves.
type endpoint struct {
	name     string
	listener net.Listener
	handler  http.Handler
	tls      *tls.Config // nil for plain HTTP
}

// New validates the config and binds the addresses, so that errors are reported before
// anything else starts. It serves nothing before Run.
func New(config Config) (*Server, error) {
	if err := config.validate(); err != nil {
		return nil, err
	}
	server := &Server{}
	if !off(config.MetricsAddress) {
		mux := http.NewServeMux()
		if config.shared() {
			handleHealth(mux, config)
		}
		tlsConfig, err := handleMetrics(mux, config)
		if err != nil {
			return nil, err
		}
		if server.metrics, err = listen("metrics", config.MetricsAddress, mux); err != nil {
			return nil, err
		}
		server.metrics.tls = tlsConfig
	}
	switch {
	case off(config.HealthAddress):
	case config.shared():
		server.health = server.metrics
	default:
		mux := http.NewServeMux()
		handleHealth(mux, config)
		var err error
		if server.health, err = listen("health", config.HealthAddress, mux); err != nil {
			return nil, errors.Join(err, server.metrics.close())
		}
	}
	return server, nil
}

func listen(name, address string, handler http.Handler) (*endpoint, error) {
	// Binding an address blocks for nothing that could be cancelled.
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s address %q: %w", name, address, err)
	}
	return &endpoint{name: name, listener: listener, handler: handler}, nil
}

// HealthAddr returns the address that /livez and /readyz are bound to, nil when off.
func (s *Server) HealthAddr() net.Addr { return s.health.addr() }

// MetricsAddr returns the address that /metrics is bound to, nil when off.
func (s *Server) MetricsAddr() net.Addr { return s.metrics.addr() }

// Run serves until ctx is cancelled, then waits at most shutdownTimeout for requests in
// flight, and returns nil. It returns an error only if serving fails. It may be called
// once.
func (s *Server) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	if s.health != nil && s.health != s.metrics {
		group.Go(func() error { return s.health.run(ctx) })
	}
	if s.metrics != nil {
		group.Go(func() error { return s.metrics.run(ctx) })
	}
	return group.Wait()
}

func (e *endpoint) addr() net.Addr {
	if e == nil {
		return nil
	}
	return e.listener.Addr()
}

func (e *endpoint) close() error {
	if e == nil {
		return nil
	}
	return e.listener.Close()
}

func (e *endpoint) run(ctx context.Context) error {
	logger := klog.LoggerWithValues(klog.FromContext(ctx), "server", e.name, "address", e.listener.Addr().String())
	ctx = klog.NewContext(ctx, logger)
	connections := &connectionLog{logger: logger}
	server := e.httpServer(ctx, connections)
	listener := boundConnections(e.listener, func(client net.Addr) { connections.refused(client.String()) })

	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer cancel()
		if err := server.Shutdown(deadline); err != nil {
			logger.Info("Closing connections with requests in flight", "reason", err)
			_ = server.Close() // the listener is closed already, and nothing is left to be done
		}
	})
	logger.V(1).Info("Serving", "secure", e.tls != nil)
	err := e.serve(server, listener)
	if !stop() {
		<-stopped
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve %s: %w", e.name, err)
}

func (e *endpoint) serve(server *http.Server, listener net.Listener) error {
	if e.tls != nil {
		return server.ServeTLS(listener, "", "")
	}
	return server.Serve(listener)
}

// httpServer returns the server of the endpoint. Requests carry the logger of ctx but
// are not cancelled with it, so that they can be answered during shutdown.
func (e *endpoint) httpServer(ctx context.Context, connections *connectionLog) *http.Server {
	requests := context.WithoutCancel(ctx)
	return &http.Server{
		Handler:           e.handler,
		TLSConfig:         e.tls,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxConcurrentStreams},
		BaseContext:       func(net.Listener) context.Context { return requests },
		ErrorLog:          log.New(connections, "", 0),
	}
}
