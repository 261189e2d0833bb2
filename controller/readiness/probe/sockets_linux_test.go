package probe

import (
	"net"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// timeWait is the state TIME_WAIT of a socket.
const timeWait = "06"

// waitingFor counts the sockets in TIME_WAIT, of the prober or of the server, after
// connections to a port.
func waitingFor(t *testing.T, address net.Addr) (waiting int) {
	t.Helper()
	content, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Skipf("the sockets cannot be counted here: %v", err)
	}
	port := ":" + strings.ToUpper(strconv.FormatInt(1<<16+int64(address.(*net.TCPAddr).Port), 16)[1:])
	for line := range strings.Lines(string(content)) {
		fields := strings.Fields(line)
		if len(fields) > 3 && fields[3] == timeWait && (strings.HasSuffix(fields[1], port) || strings.HasSuffix(fields[2], port)) {
			waiting++
		}
	}
	return waiting
}

// TestProbesLeaveNoSocketWaiting: 1,000 probes a second left 120,000 sockets in TIME_WAIT
// and as many conntrack entries, on the servers' side if the servers closed first.
func TestProbesLeaveNoSocketWaiting(t *testing.T) {
	const probes = 50
	plain, secured := httptest.NewServer(web(t)), httptest.NewUnstartedServer(web(t))
	secured.StartTLS()
	t.Cleanup(plain.Close)
	t.Cleanup(secured.Close)
	server := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	listener := listen(t)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	kept := serve(t, saying("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))

	for name, spec := range map[string]*Spec{
		"TCP":                         at(TCP, serve(t, hang)),
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
			address, err := net.ResolveTCPAddr("tcp", spec.Targets[0].String())
			if err != nil {
				t.Fatal(err)
			}
			if waiting := waitingFor(t, address); waiting > 0 {
				t.Errorf("%d of %d probes leave a socket waiting", waiting, probes)
			}
		})
	}
}
