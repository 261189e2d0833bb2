package probe

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// measuredKind and measuredAddress are environment variables that say what a child
// process of this test measures.
const (
	measuredKind    = "PROBE_TEST_KIND"
	measuredAddress = "PROBE_TEST_ADDRESS"
)

func TestMain(m *testing.M) {
	if kind := os.Getenv(measuredKind); kind != "" {
		measure(kind, os.Getenv(measuredAddress))
		return
	}
	os.Exit(m.Run())
}

// measuredSpecs are the kinds of probe whose cost differs.
var measuredSpecs = map[string][]func(*Spec){
	"tcp": nil, "http": nil, "https": {secure}, "h2c": {func(s *Spec) { s.Request.HTTP2 = true }}, "grpc": nil, "grpcs": {secure},
}

func measuredSpec(kind string, address net.Addr) *Spec {
	of := map[string]Kind{"tcp": TCP, "http": HTTP, "https": HTTP, "h2c": HTTP, "grpc": GRPC, "grpcs": GRPC}[kind]
	return at(of, address, measuredSpecs[kind]...)
}

// measure prints how many bytes of heap and stack one probe takes with a server that
// never finishes its answer. It waits until the probes have settled: while they start,
// the heap also holds garbage, and its size depends on the speed of the machine.
func measure(kind, address string) {
	const probes, steady = 100, 10
	resolved, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		panic(err)
	}
	spec := measuredSpec(kind, resolved)
	spec.Timeout = time.Minute
	prober := NewProber(AddressPolicy{AllowLoopback: true})
	before := inUse()
	ended := make(chan Result, probes)
	for range probes {
		go func() { ended <- prober.Probe(context.Background(), spec, spec.Targets[0]) }()
	}
	lowest, highest, same := uint64(0), uint64(0), 0
	for range time.Tick(50 * time.Millisecond) {
		if len(ended) > 0 {
			panic(fmt.Sprintf("a probe ended: %+v", <-ended))
		}
		now := inUse()
		if lowest, highest = min(lowest, now), max(highest, now); highest-lowest <= probes*512 {
			if same++; same == steady {
				break
			}
			continue
		}
		lowest, highest, same = now, now, 0
	}
	fmt.Println((highest - min(highest, before)) / probes)
}

// inUse returns the memory in bytes that the heap and stacks take after a collection.
func inUse() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc + stats.StackInuse
}

// unfinishedHandshake sends the first message of a TLS server with the maximum length,
// and never finishes it.
func unfinishedHandshake(connection net.Conn) {
	message := append([]byte{2, 0, 0xff, 0xff}, make([]byte, maxHandshakeBytes-100)...)
	for len(message) > 0 {
		part := message[:min(len(message), 16<<10)]
		record := append([]byte{22, 3, 3, byte(len(part) >> 8), byte(len(part))}, part...)
		if _, err := connection.Write(record); err != nil {
			return
		}
		message = message[len(part):]
	}
	hang(connection)
}

// tinyFields answers with a header of thousands of small fields that never ends.
func tinyFields(connection io.ReadWriter) {
	var text bytes.Buffer
	text.WriteString("HTTP/1.1 200 OK\r\n")
	for i := range 100_000 { // 770 KiB, below maxAnswerBytes
		fmt.Fprintf(&text, "%x:\r\n", i)
	}
	if _, err := connection.Write(text.Bytes()); err == nil {
		_, _ = io.Copy(io.Discard, connection)
	}
}

// hugeFields answers in HTTP/2 with header fields of the maximum size that fill the
// table and never end.
func hugeFields(connection io.ReadWriter) {
	framer := http2.NewFramer(connection, connection)
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	_ = encoder.WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
	for i := range 100 {
		_ = encoder.WriteField(hpack.HeaderField{Name: fmt.Sprintf("a%d", i), Value: "b"})
	}
	_ = encoder.WriteField(hpack.HeaderField{Name: "location", Value: strings.Repeat("\xff", 15<<10), Sensitive: true})
	_ = framer.WriteSettings()
	_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes()[:1000]})
	rest := block.Bytes()[1000:]
	for len(rest) > 1 {
		part := rest[:min(len(rest)-1, 1000)]
		_ = framer.WriteContinuation(1, false, part)
		rest = rest[len(part):]
	}
	// A frame with the maximum length.
	_, _ = connection.Write([]byte{0, 0x40, 0, 9, 0, 0, 0, 0, 1})
	_, _ = io.Copy(io.Discard, connection)
}

// behindTLS serves behind TLS.
func behindTLS(t testing.TB, protocol string, handle func(io.ReadWriter)) func(net.Conn) {
	t.Helper()
	certificates := httptest.NewTLSServer(nil)
	t.Cleanup(certificates.Close)
	config := &tls.Config{Certificates: certificates.TLS.Certificates, NextProtos: []string{protocol}}
	return func(connection net.Conn) {
		secured := tls.Server(connection, config)
		if secured.Handshake() == nil {
			handle(secured)
		}
	}
}

// TestHostileServersStayWithinTheirCost: 500 probes of servers that send thousands of
// header fields or unfinished messages took 330 to 525 KiB each. A Pod with the chart's
// memory limit was killed.
func TestHostileServersStayWithinTheirCost(t *testing.T) {
	plain := func(handle func(io.ReadWriter)) func(net.Conn) {
		return func(connection net.Conn) { handle(connection) }
	}
	for name, test := range map[string]struct {
		kind   string
		handle func(net.Conn)
	}{
		"silence, HTTP":                {"http", hang},
		"silence, HTTPS":               {"https", hang},
		"silence, gRPC":                {"grpc", hang},
		"tiny header fields":           {"http", plain(tinyFields)},
		"a body that hangs":            {"http", drip("HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n", "x")},
		"tiny header fields, TLS":      {"https", behindTLS(t, "http/1.1", tinyFields)},
		"unfinished TLS message":       {"https", unfinishedHandshake},
		"unfinished TLS message, gRPC": {"grpcs", unfinishedHandshake},
		"huge header fields, HTTP/2":   {"h2c", plain(hugeFields)},
		"huge header fields, gRPC":     {"grpc", plain(hugeFields)},
		"huge header fields, TLS":      {"https", behindTLS(t, "h2", hugeFields)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := serve(t, test.handle)
			command := exec.CommandContext(t.Context(), os.Args[0])
			command.Env = append(os.Environ(), measuredKind+"="+test.kind, measuredAddress+"="+address.String())
			output, err := command.CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, output)
			}
			got, err := strconv.ParseInt(strings.TrimSpace(string(output)), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			cost := Cost(measuredSpec(test.kind, address))
			t.Logf("%d bytes in flight; its cost is %d", got, cost)
			if got > cost {
				t.Errorf("a probe in flight takes %d bytes, more than its cost of %d", got, cost)
			}
			if got < 1<<10 {
				t.Errorf("a probe in flight takes %d bytes; nothing was measured", got)
			}
		})
	}
}
