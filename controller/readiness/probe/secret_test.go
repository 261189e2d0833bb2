package probe

import (
	"bytes"
	"io"
	"log"
	"net"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// secret is text that servers on the network send to every client.
const secret = "internal secret"

// saying reads a request, answers with a text and closes.
func saying(text string) func(net.Conn) {
	return func(connection net.Conn) {
		_, _ = connection.Read(make([]byte, 1))
		_, _ = io.WriteString(connection, text)
		// Further data from the other side must not reset the connection.
		_, _ = io.Copy(io.Discard, connection)
	}
}

// endingBadly answers in HTTP/2 with GOAWAY and a text.
func endingBadly(connection net.Conn) {
	framer := http2.NewFramer(connection, connection)
	_ = framer.WriteSettings()
	_ = framer.WriteGoAway(0, http2.ErrCodeEnhanceYourCalm, []byte(secret))
	hang(connection)
}

// failingGRPC answers with a status and a message.
func failingGRPC(connection net.Conn) {
	framer := http2.NewFramer(connection, connection)
	_ = framer.WriteSettings()
	_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true, EndStream: true, BlockFragment: encode([]hpack.HeaderField{
		{Name: ":status", Value: "200"}, {Name: "content-type", Value: "application/grpc"},
		{Name: "grpc-status", Value: "13"}, {Name: "grpc-message", Value: secret},
	})})
	hang(connection)
}

// TestNothingOfAnAnswerIsRepeated: `malformed MIME header: "internal secret"` and the
// banner of an SSH server were copied into conditions, and net/http logged unsolicited
// data with the standard logger.
func TestNothingOfAnAnswerIsRepeated(t *testing.T) {
	var logged bytes.Buffer
	before := log.Writer()
	log.SetOutput(&logged)
	t.Cleanup(func() { log.SetOutput(before) })
	for name, handle := range map[string]func(net.Conn){
		"a banner":                       func(c net.Conn) { _, _ = io.WriteString(c, "SSH-2.0-"+secret+"\r\n"); hang(c) },
		"a banner in several lines":      saying("220 " + secret + "\r\n220 mail\r\n"),
		"a header that is malformed":     saying("HTTP/1.1 200 OK\r\n" + secret + "\r\n\r\n"),
		"a field that is malformed":      saying("HTTP/1.1 200 OK\r\nA: " + secret + "\x00\r\n\r\n"),
		"an invalid status":              saying("HTTP/1.1 " + secret + "\r\n\r\n"),
		"a custom reason phrase":         saying("HTTP/1.1 500 " + secret + "\r\nContent-Length: 0\r\n\r\n"),
		"a custom version":               saying("HTTP/" + secret + " 200 OK\r\n\r\n"),
		"an invalid length":              saying("HTTP/1.1 200 OK\r\nContent-Length: " + secret + "\r\n\r\n"),
		"an invalid encoding":            saying("HTTP/1.1 200 OK\r\nTransfer-Encoding: " + secret + "\r\n\r\n"),
		"a chunk that is malformed":      saying("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + secret + "\r\n"),
		"an invalid location":            saying("HTTP/1.1 302 Found\r\nLocation: http://" + secret + "%zz\r\nContent-Length: 0\r\n\r\n"),
		"a location elsewhere":           saying("HTTP/1.1 302 Found\r\nLocation: http://internalsecret/\r\nContent-Length: 0\r\n\r\n"),
		"a location of another scheme":   saying("HTTP/1.1 302 Found\r\nLocation: secret://127.0.0.1/" + "\r\nContent-Length: 0\r\n\r\n"),
		"an unsolicited second answer":   saying("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 " + secret + "\r\n\r\n"),
		"an HTTP/2 connection that ends": endingBadly,
		"a gRPC status with a message":   failingGRPC,
		"a TLS record that is malformed": saying("\x16\x03\x03\x00\x20" + secret + secret),
		"a TLS alert that is unknown":    saying("\x15\x03\x03\x00\x02\x02\xf9" + secret),
		"what TLS takes for plain HTTP":  saying("HTTP/1.0 400 " + secret + "\r\n\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			address := serve(t, handle)
			prober := NewProber(AddressPolicy{AllowLoopback: true})
			for kind := range measuredSpecs {
				spec := measuredSpec(kind, address)
				spec.Timeout = brief
				got := prober.Probe(t.Context(), spec, spec.Targets[0])
				if message := strings.ReplaceAll(got.Message, " ", ""); strings.Contains(message, "secret") || strings.Contains(message, "SSH") {
					t.Errorf("%s gives %+v", kind, got)
				}
			}
		})
	}
	if logged.Len() > 0 {
		t.Errorf("the standard logger has %q", logged.String())
	}
}
