package hostile

import (
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// The ports of the tenant's machines, each with a different answer. They listen on every
// address of the tenant's network.
const (
	portSilent  = 7001 // accepts and never answers
	portHeaders = 7002 // endless tiny header fields
	portTLS     = 7003 // a TLS record that never ends
	portSecret  = 7004 // a malformed header with a secret
	portSSH     = 7005 // an SSH banner
	portBody    = 7006 // status 200 and a body that arrives byte by byte
)

// trickle is the pause between two pieces of an endless answer. It is long, so that the
// controller and not this program uses the CPU.
const trickle = 50 * time.Millisecond

// remoteWords must not appear in any condition, Event or log line.
var remoteWords = []string{"internal secret", "SSH-2.0"}

// serveHostile starts the tenant's machines. They end with the test.
func serveHostile(t *testing.T) {
	t.Helper()
	for port, answer := range map[int]func(net.Conn) error{
		portSilent: func(net.Conn) error { return nil },
		portHeaders: func(c net.Conn) error {
			return repeat(c, "HTTP/1.1 200 OK\r\n", "a: b\r\n")
		},
		portTLS: func(c net.Conn) error {
			// A handshake record of the maximum length that arrives slowly, byte by byte.
			return repeat(c, "\x16\x03\x03\x40\x00\x02\x00\x3f\xfc", "\x00")
		},
		portSecret: func(c net.Conn) error { return say(c, "HTTP/1.1 200 OK\r\ninternal secret\r\n\r\n") },
		portSSH:    func(c net.Conn) error { return say(c, "SSH-2.0-OpenSSH_9.2 internal secret\r\n") },
		portBody: func(c net.Conn) error {
			return repeat(c, "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n", "x")
		},
	} {
		serve(t, fmt.Sprintf(":%d", port), answer)
	}
}

func say(c net.Conn, text string) error {
	_, err := c.Write([]byte(text))
	return err
}

// repeat sends the same data until the other side closes.
func repeat(c net.Conn, first, again string) error {
	err := say(c, first)
	pause := time.NewTicker(trickle)
	defer pause.Stop()
	for ; err == nil; <-pause.C {
		err = say(c, again)
	}
	return err
}

// serve answers each connection with a function and then waits until the other side closes.
// It ends with the test.
func serve(t *testing.T, address string, answer func(net.Conn) error) {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	open := map[net.Conn]struct{}{}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[connection] = struct{}{}
			mu.Unlock()
			serving.Go(func() {
				// An error at the end of a connection does not matter.
				if answer(connection) == nil {
					_, _ = connection.Read(make([]byte, 64<<10))
					_, _ = connection.Read(make([]byte, 1))
				}
				mu.Lock()
				delete(open, connection)
				mu.Unlock()
				_ = connection.Close()
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		mu.Lock()
		for connection := range open {
			_ = connection.Close()
		}
		mu.Unlock()
		serving.Wait()
	})
}

// machine is a machine of the neighbour. It records the times of its probes.
type machine struct {
	mu    sync.Mutex
	asked []time.Time
}

// ServeHTTP answers that the machine is ready.
func (m *machine) ServeHTTP(http.ResponseWriter, *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked = append(m.asked, time.Now())
}

// longestGap returns the longest time between two probes since a time, until now.
func (m *machine) longestGap(since time.Time) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	var longest time.Duration
	last := since
	for _, at := range m.asked {
		if at.After(since) {
			longest, last = max(longest, at.Sub(last)), at
		}
	}
	return max(longest, time.Since(last))
}

// serveMachine starts a machine of the neighbour. It ends with the test.
func serveMachine(t *testing.T, address string) *machine {
	t.Helper()
	m := &machine{}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: m, ReadHeaderTimeout: time.Second}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) })
	t.Cleanup(func() {
		_ = server.Close()
		serving.Wait()
	})
	return m
}
