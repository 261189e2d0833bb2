package probe

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

// fullListener listens with the shortest queue and fills it. Linux then drops the packets
// of further connections, like a firewall.
func fullListener(t testing.TB) net.Addr {
	t.Helper()
	descriptor, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(descriptor) })
	if err := syscall.Bind(descriptor, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(descriptor, 0); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(descriptor)
	if err != nil {
		t.Fatal(err)
	}
	bound := name.(*syscall.SockaddrInet4)
	address := &net.TCPAddr{IP: bound.Addr[:], Port: bound.Port}
	for range 16 {
		connection, err := net.DialTimeout("tcp", address.String(), 300*time.Millisecond)
		if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
			return address
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = connection.Close() })
	}
	t.Skip("this kernel does not drop connections to a full queue")
	return nil
}

// openFiles counts the file descriptors of this process.
func openFiles(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skipf("file descriptors cannot be counted here: %v", err)
	}
	return len(entries)
}

// eventually waits until a count is at most a limit.
func eventually(t testing.TB, what string, limit int, count func() int) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for count() > limit {
		select {
		case <-deadline:
			t.Errorf("%d %s are left, want at most %d as before", count(), what, limit)
			return
		case <-ticker.C:
		}
	}
}

// endOf returns the result of a probe that must end, however slow the machine is. Without
// their own timeout, none of these probes would end.
func endOf(t testing.TB, prober *Prober, spec *Spec) Result {
	t.Helper()
	ended := make(chan Result, 1)
	go func() { ended <- prober.Probe(t.Context(), spec, spec.Targets[0]) }()
	select {
	case got := <-ended:
		return got
	case <-time.After(time.Minute):
		t.Fatalf("%s has not ended after a minute; its timeout is %s", spec.Kind, spec.Timeout)
		return Result{}
	}
}

func TestMisbehaviour(t *testing.T) {
	for name, handle := range map[string]func(net.Conn){
		"a server that never answers":          hang,
		"a server that sends garbage":          garbage,
		"a server that resets":                 reset,
		"a server that closes":                 func(net.Conn) {},
		"a slow loris in the status line":      drip("HTTP/1.1 200 ", "O"),
		"a slow loris in the header":           drip("HTTP/1.1 200 OK\r\n", "X-A: 1\r\n"),
		"an endless status line":               flood("HTTP/1.1 200 ", "OOOOOOOOOOOOOOOOOOOOOOOOOOOOOOO"),
		"an endless header":                    flood("HTTP/1.1 200 OK\r\n", "X-A: 1\r\n"),
		"endless interim answers":              flood("", "HTTP/1.1 100 Continue\r\n\r\n"),
		"endless frames of HTTP/2 settings":    flood("", "\x00\x00\x00\x04\x00\x00\x00\x00\x00"),
		"endless pings of HTTP/2":              flood("\x00\x00\x00\x04\x00\x00\x00\x00\x00", "\x00\x00\x08\x06\x00\x00\x00\x00\x0012345678"),
		"a redirect whose body drips":          drip("HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", "x"),
		"a TLS record that claims to be large": drip("\x16\x03\x03\x3f\xff", "\x00"),
	} {
		// One after the other: a flooding server takes the CPU time of the others.
		t.Run(name, func(t *testing.T) {
			address := serve(t, handle)
			prober := NewProber(AddressPolicy{AllowLoopback: true})
			for _, spec := range []*Spec{at(HTTP, address, within(brief)), at(HTTP, address, within(brief), overTLS), at(GRPC, address, within(brief))} {
				got := endOf(t, prober, spec)
				if got.Outcome != Failure && got.Outcome != Timeout {
					t.Errorf("%s gives %+v", spec.Kind, got)
				}
				if got.Message == "" || len(got.Message) > maxMessage+3 {
					t.Errorf("%s gives a message of %d bytes", spec.Kind, len(got.Message))
				}
			}
		})
	}
}

// TestNothingLeaks probes many misbehaving servers at the same time, and counts
// goroutines and file descriptors before and after.
func TestNothingLeaks(t *testing.T) {
	addresses := []net.Addr{fullListener(t), closedPort(t)}
	for _, handle := range []func(net.Conn){hang, garbage, reset, drip("HTTP/1.1 200 ", "O"), flood("HTTP/1.1 200 OK\r\n", "X-A: 1\r\n")} {
		addresses = append(addresses, serve(t, handle))
	}
	prober := NewProber(AddressPolicy{AllowLoopback: true})
	// Resources that are created only once, such as the network poller, are created first.
	first := at(TCP, addresses[1])
	prober.Probe(t.Context(), first, first.Targets[0])
	goroutines, files := runtime.NumGoroutine(), openFiles(t)

	var running sync.WaitGroup
	for _, address := range addresses {
		for _, spec := range []*Spec{at(TCP, address), at(HTTP, address), at(HTTP, address, overTLS), at(GRPC, address)} {
			spec.Timeout = time.Second
			for range 20 {
				running.Go(func() { prober.Probe(t.Context(), spec, spec.Targets[0]) })
			}
		}
	}
	running.Wait()
	eventually(t, "goroutines", goroutines, runtime.NumGoroutine)
	eventually(t, "file descriptors", files, func() int { return openFiles(t) })
}

func TestDroppedPacketsTimeOut(t *testing.T) {
	address := fullListener(t)
	for _, kind := range []Kind{TCP, HTTP, GRPC} {
		t.Run(fmt.Sprint(kind), func(t *testing.T) {
			spec := at(kind, address, within(brief))
			got := NewProber(AddressPolicy{AllowLoopback: true}).Probe(t.Context(), spec, spec.Targets[0])
			if got.Outcome != Timeout {
				t.Errorf("got %+v, want a timeout", got)
			}
		})
	}
}
