package kubelet

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// seen records the requests of a prober. Both probers must send the same.
type seen struct {
	mu   sync.Mutex
	said []string
}

func (s *seen) add(format string, arguments ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said = append(s.said, fmt.Sprintf(format, arguments...))
}

// all returns all requests without the port and the user agent.
func (s *seen) all(port int) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, said := range s.said {
		all = append(all, strings.ReplaceAll(said, fmt.Sprintf(":%d", port), ":PORT"))
	}
	return all
}

// server starts a server and returns its address.
type server func(t *testing.T, s *seen) net.Addr

// listen handles each connection with a function and then closes it.
func listen(handle func(net.Conn)) server {
	return func(t *testing.T, _ *seen) net.Addr {
		listener, err := net.Listen("tcp", ip+":0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = listener.Close() })
		go func() {
			for {
				connection, err := listener.Accept()
				if err != nil {
					return
				}
				go func() {
					defer func() { _ = connection.Close() }()
					handle(connection)
				}()
			}
		}()
		return listener.Addr()
	}
}

// closed returns a port without a listener. It stays bound until the test ends, so that no
// other test can listen there.
func closed(t *testing.T, _ *seen) net.Addr {
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(socket) })
	if err := syscall.Bind(socket, &syscall.SockaddrInet4{Addr: netip.MustParseAddr(ip).As4()}); err != nil {
		t.Fatal(err)
	}
	bound, err := syscall.Getsockname(socket)
	if err != nil {
		t.Fatal(err)
	}
	return &net.TCPAddr{IP: net.ParseIP(ip), Port: bound.(*syscall.SockaddrInet4).Port}
}

func hang(connection net.Conn) { _, _ = io.Copy(io.Discard, connection) }

// readRequest reads the header of an HTTP/1.1 request.
func readRequest(connection net.Conn) bool {
	var request []byte
	buffer := make([]byte, 4096)
	for !bytes.Contains(request, []byte("\r\n\r\n")) {
		n, err := connection.Read(buffer)
		if err != nil {
			return false
		}
		request = append(request, buffer[:n]...)
	}
	return true
}

// raw answers each request with a text and closes the connection.
func raw(text string) server {
	return listen(func(connection net.Conn) {
		if readRequest(connection) {
			_, _ = io.WriteString(connection, text)
		}
	})
}

// unfinished answers each request with a text and keeps the connection open.
func unfinished(text string) server {
	return listen(func(connection net.Conn) {
		if readRequest(connection) {
			_, _ = io.WriteString(connection, text)
			hang(connection)
		}
	})
}

// recording records each request before it is handled.
func recording(s *seen, handle http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var fields []string
		for name, values := range r.Header {
			if name != "User-Agent" || !strings.Contains(r.UserAgent(), "probe") {
				fields = append(fields, fmt.Sprintf("%s=%q", name, values))
			}
		}
		slices.Sort(fields)
		name := ""
		if r.TLS != nil {
			name = fmt.Sprintf("%q", r.TLS.ServerName)
		}
		s.add("%s %s %s %s close=%t %s %s", r.Method, r.RequestURI, r.Host, r.Proto, r.Close, name, strings.Join(fields, " "))
		if handle != nil {
			handle(w, r)
		}
	})
}

func web(handle http.HandlerFunc) server {
	return func(t *testing.T, s *seen) net.Addr {
		started := httptest.NewUnstartedServer(recording(s, handle))
		started.Config.ErrorLog = log.New(io.Discard, "", 0)
		started.Start()
		t.Cleanup(started.CloseClientConnections)
		return started.Listener.Addr()
	}
}

// webTLS serves with TLS and a changed configuration, with h2 also HTTP/2.
func webTLS(handle http.HandlerFunc, h2 bool, changes ...func(*tls.Config)) server {
	return func(t *testing.T, s *seen) net.Addr {
		started := httptest.NewUnstartedServer(recording(s, handle))
		started.Config.ErrorLog = log.New(io.Discard, "", 0)
		started.EnableHTTP2 = h2
		started.TLS = &tls.Config{}
		for _, change := range changes {
			change(started.TLS)
		}
		started.StartTLS()
		t.Cleanup(started.CloseClientConnections)
		return started.Listener.Addr()
	}
}

// webH2C serves HTTP/2 without TLS, and nothing else.
func webH2C(handle http.HandlerFunc) server {
	return func(t *testing.T, s *seen) net.Addr {
		started := httptest.NewUnstartedServer(recording(s, handle))
		started.Config.ErrorLog = log.New(io.Discard, "", 0)
		started.Config.Protocols = new(http.Protocols)
		started.Config.Protocols.SetUnencryptedHTTP2(true)
		started.Start()
		t.Cleanup(started.CloseClientConnections)
		return started.Listener.Addr()
	}
}

// rawTLS handles each connection with a function after the TLS handshake.
func rawTLS(protocol string, handle func(net.Conn)) server {
	return func(t *testing.T, s *seen) net.Addr {
		other := httptest.NewTLSServer(nil)
		t.Cleanup(other.Close)
		config := &tls.Config{Certificates: other.TLS.Certificates, NextProtos: slices.DeleteFunc([]string{protocol}, func(p string) bool { return p == "" })}
		return listen(func(connection net.Conn) {
			secured := tls.Server(connection, config)
			if secured.Handshake() == nil {
				handle(secured)
				_ = secured.Close()
			}
		})(t, s)
	}
}

// frames answers an HTTP/2 request by writing frames, after it has read the client's preface
// and header.
func frames(write func(*http2.Framer)) func(net.Conn) {
	return func(connection net.Conn) {
		if _, err := io.ReadFull(connection, make([]byte, len(http2.ClientPreface))); err != nil {
			return
		}
		framer := http2.NewFramer(connection, connection)
		_ = framer.WriteSettings()
		for {
			frame, err := framer.ReadFrame()
			if err != nil {
				return
			}
			if frame.Header().Type == http2.FrameHeaders {
				break
			}
		}
		write(framer)
		hang(connection)
	}
}

// fields writes HTTP/2 header fields, given as alternating names and values.
func fields(framer *http2.Framer, last bool, of ...string) {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for i := 0; i+1 < len(of); i += 2 {
		_ = encoder.WriteField(hpack.HeaderField{Name: of[i], Value: of[i+1]})
	}
	encoded := block.Bytes()
	part := encoded[:min(len(encoded), 16<<10)]
	encoded = encoded[len(part):]
	_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndStream: last, EndHeaders: len(encoded) == 0, BlockFragment: part})
	for len(encoded) > 0 {
		part = encoded[:min(len(encoded), 16<<10)]
		encoded = encoded[len(part):]
		_ = framer.WriteContinuation(1, len(encoded) == 0, part)
	}
}

// grpcHealth serves gRPC health, with the service "down" that does not serve.
func grpcHealth(options ...grpc.ServerOption) server {
	return func(t *testing.T, _ *seen) net.Addr {
		served, service := grpc.NewServer(options...), health.NewServer()
		service.SetServingStatus("up", grpc_health_v1.HealthCheckResponse_SERVING)
		service.SetServingStatus("down", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
		service.SetServingStatus("odd", 77)
		grpc_health_v1.RegisterHealthServer(served, service)
		return serveGRPC(t, served)
	}
}

func serveGRPC(t *testing.T, served *grpc.Server) net.Addr {
	listener, err := net.Listen("tcp", ip+":0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = served.Serve(listener) }()
	t.Cleanup(served.Stop)
	return listener.Addr()
}

// selfSigned returns a TLS configuration with a certificate for tests.
func selfSigned() *tls.Config {
	started := httptest.NewTLSServer(nil)
	started.Close()
	return &tls.Config{Certificates: started.TLS.Certificates, NextProtos: []string{"h2"}}
}
