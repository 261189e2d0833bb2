package leadership

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/external-workload/controller/internal/loopback"
)

// served is a server that counts complete requests, and a client that writes to it
// through a gate.
type served struct {
	*testing.T
	gate   *WriteGate
	client *http.Client
	url    string
	writes atomic.Int32
}

func newServed(t *testing.T, gate *WriteGate) *served {
	s := &served{T: t, gate: gate}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
		if _, err := io.Copy(io.Discard, request.Body); err == nil {
			s.writes.Add(1)
		}
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	transport := server.Client().Transport.(*http.Transport)
	transport.DialContext = gate.Dial
	s.client, s.url = &http.Client{Transport: gate.Guard(transport)}, server.URL
	return s
}

// put writes a body and calls a function before its second half.
func (s *served) put(between func()) error {
	s.Helper()
	body := io.MultiReader(strings.NewReader("first "), &after{call: between}, strings.NewReader("second"))
	request, err := http.NewRequestWithContext(s.Context(), http.MethodPut, s.url, body)
	if err != nil {
		s.Fatal(err)
	}
	response, err := s.client.Do(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// after is an empty reader that calls a function when it is read.
type after struct{ call func() }

func (a *after) Read([]byte) (int, error) {
	a.call()
	return 0, io.EOF
}

func TestConnectionOfAHolderWrites(t *testing.T) {
	s := newServed(t, &WriteGate{})
	s.gate.extend(time.Now().Add(time.Hour))
	for range 2 {
		if err := s.put(func() {}); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.writes.Load(); got != 2 {
		t.Errorf("%d requests reached the server, want 2", got)
	}
}

func TestConnectionWithoutElectionWrites(t *testing.T) {
	s := newServed(t, OpenWriteGate())
	if err := s.put(func() {}); err != nil {
		t.Fatal(err)
	}
	if got := s.writes.Load(); got != 1 {
		t.Errorf("%d requests reached the server, want 1", got)
	}
}

// Fault: the process is frozen after a request passed the gate and before it is sent, and
// continues when another instance leads.
func TestRequestOnItsWayDoesNotOutlastTheLease(t *testing.T) {
	s := newServed(t, &WriteGate{})
	s.gate.extend(time.Now().Add(time.Hour))
	if err := s.put(func() {}); err != nil {
		t.Fatal(err)
	}
	if err := s.put(s.gate.close); err == nil {
		t.Error("a request that outlasted the Lease has succeeded")
	}
	if got := s.writes.Load(); got != 1 {
		t.Errorf("%d requests reached the server, want only the first", got)
	}
	s.gate.extend(time.Now().Add(time.Hour))
	if err := s.put(func() {}); err != nil {
		t.Errorf("after the Lease was acquired again: %v", err)
	}
}

func TestConnectionBreaksWithTheFirstBytesThatAreLate(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	gate := &WriteGate{}
	gate.extend(time.Now().Add(time.Hour))
	connection, err := gate.Dial(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	gate.close()
	if _, err := connection.Write([]byte("late")); !errors.Is(err, ErrWriteGateClosed) {
		t.Errorf("the late write returns %v, want ErrWriteGateClosed", err)
	}
	gate.extend(time.Now().Add(time.Hour))
	if _, err := connection.Write([]byte("later")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the next write returns %v, want a closed connection", err)
	}
}

func TestDialReturnsItsError(t *testing.T) {
	listener, err := net.Listen("tcp", loopback.AnyPort())
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	if _, err := OpenWriteGate().Dial(t.Context(), "tcp", address); err == nil {
		t.Error("dialing without a listener gives no error")
	}
}
