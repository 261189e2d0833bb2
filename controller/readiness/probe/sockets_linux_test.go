package probe

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/external-workload/controller/internal/loopback"
)

// timeWait is the state TIME_WAIT of a socket.
const timeWait = "06"

// waitingFor counts the sockets in TIME_WAIT, of the prober or of the server, after
// connections to an address and port.
func waitingFor(t *testing.T, address netip.AddrPort) (waiting int) {
	t.Helper()
	content, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Skipf("the sockets cannot be counted here: %v", err)
	}
	octets := address.Addr().As4()
	socket := fmt.Sprintf("%08X:%04X", binary.NativeEndian.Uint32(octets[:]), address.Port())
	for line := range strings.Lines(string(content)) {
		fields := strings.Fields(line)
		if len(fields) > 3 && fields[3] == timeWait && (fields[1] == socket || fields[2] == socket) {
			waiting++
		}
	}
	return waiting
}

// TestOnlyTheSocketsOfOneServerAreCounted: sockets in TIME_WAIT belong to no process, and
// their port is given to the next listener of the address. So the count of sockets in TIME_WAIT included
// those of other processes whose port had been the same, and the test of probes failed.
func TestOnlyTheSocketsOfOneServerAreCounted(t *testing.T) {
	first := listenAt(t, loopback.Own().String()).Addr().(*net.TCPAddr).AddrPort()
	second, err := net.Listen("tcp", netip.AddrPortFrom(loopback.Own().Next(), first.Port()).String())
	if err != nil {
		t.Skipf("the same port of another loopback address is in use: %v", err)
	}
	defer func() { _ = second.Close() }()
	client, err := net.Dial("tcp", second.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := second.Accept()
	if err != nil {
		t.Fatal(err)
	}
	// The side that closes first waits, from when it has received the other's end.
	_ = client.(*net.TCPConn).CloseWrite()
	_, _ = accepted.Read(make([]byte, 1))
	_ = accepted.Close()
	_, _ = client.Read(make([]byte, 1))
	_ = client.Close()

	if waiting := waitingFor(t, second.Addr().(*net.TCPAddr).AddrPort()); waiting != 1 {
		t.Errorf("%d sockets wait at the address of the connection, want 1", waiting)
	}
	if waiting := waitingFor(t, first); waiting != 0 {
		t.Errorf("%d sockets wait at the other address, want none", waiting)
	}
}

// webServer serves HTTP at an address until the test ends.
func webServer(t *testing.T, address string, handler http.Handler) *httptest.Server {
	t.Helper()
	server := &httptest.Server{Listener: listenAt(t, address), Config: &http.Server{Handler: handler}}
	t.Cleanup(server.Close)
	return server
}

// TestProbesLeaveNoSocketWaiting: 1,000 probes a second left 120,000 sockets in TIME_WAIT
// and as many conntrack entries, on the servers' side if the servers closed first.
func TestProbesLeaveNoSocketWaiting(t *testing.T) {
	const probes = 50
	host := loopback.Own().String()
	plain, secured := webServer(t, host, web(t)), webServer(t, host, web(t))
	plain.Start()
	secured.StartTLS()
	server := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	listener := listenAt(t, host)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	kept := serveOn(t, listenAt(t, host), saying("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))

	for name, spec := range map[string]*Spec{
		"TCP":                         at(TCP, serveOn(t, listenAt(t, host), hang)),
		"HTTP":                        at(HTTP, plain.Listener.Addr(), path("/status/200")),
		"HTTP with a redirect":        at(HTTP, plain.Listener.Addr(), path("/hop/1")),
		"HTTP with a long body":       at(HTTP, plain.Listener.Addr(), path("/endless")),
		"HTTP of a server that stays": at(HTTP, kept),
		"HTTPS":                       at(HTTP, secured.Listener.Addr(), path("/status/200"), secure),
		"HTTPS to a plain server":     at(HTTP, plain.Listener.Addr(), secure),
		"gRPC":                        at(GRPC, listener.Addr()),
	} {
		t.Run(name, func(t *testing.T) {
			prober := NewProber(AddressPolicy{AllowLoopback: true})
			for range probes {
				prober.Probe(t.Context(), spec, spec.Targets[0])
			}
			address, err := netip.ParseAddrPort(spec.Targets[0].String())
			if err != nil {
				t.Fatal(err)
			}
			if waiting := waitingFor(t, address); waiting > 0 {
				t.Errorf("%d of %d probes leave a socket waiting", waiting, probes)
			}
		})
	}
}
