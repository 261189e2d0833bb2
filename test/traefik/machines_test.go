package traefik

import (
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/external-workload/controller/test/internal/netns"
)

const (
	machinePort = 8080
	// work is the time that a machine takes to answer, so that requests are always in flight.
	work = 5 * time.Millisecond
)

// server is an HTTP server with its own address. It answers with its address.
type server struct {
	*cluster
	address string
	http    *http.Server

	mu       sync.Mutex
	arrivals []time.Time
}

// newServer starts a server that ends with the test.
func (c *cluster) newServer(address string) *server {
	c.Helper()
	s := &server{cluster: c, address: address}
	c.must(netns.AddAddress(address + "/32"))
	c.Cleanup(func() {
		s.stop()
		if err := netns.RemoveAddress(address + "/32"); err != nil {
			c.Error(err)
		}
	})
	s.start()
	return s
}

func (s *server) start() {
	s.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(s.address, strconv.Itoa(machinePort)))
	s.must(err)
	s.http = &http.Server{ReadHeaderTimeout: limit, Handler: s}
	go func() { _ = s.http.Serve(listener) }()
}

// stop ends the server and its connections at once, like a machine that is switched off:
// requests in flight are lost.
func (s *server) stop() { _ = s.http.Close() }

// ServeHTTP answers a request.
func (s *server) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	s.arrivals = append(s.arrivals, time.Now())
	s.mu.Unlock()
	time.Sleep(work)
	fmt.Fprint(w, s.address)
}

// last returns the arrival time of the last request.
func (s *server) last() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.arrivals) == 0 {
		return time.Time{}
	}
	return s.arrivals[len(s.arrivals)-1]
}

// first returns the arrival time of the first request after a time, or zero if there is
// none.
func (s *server) first(after time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, at := range s.arrivals {
		if at.After(after) {
			return at
		}
	}
	return time.Time{}
}
