package kubelet

import (
	"context"
	"crypto/tls"
	"errors"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	corev1 "k8s.io/api/core/v1"
)

func versions(lowest, highest uint16) func(*tls.Config) {
	return func(config *tls.Config) { config.MinVersion, config.MaxVersion = lowest, highest }
}

func clients(auth tls.ClientAuthType) func(*tls.Config) {
	return func(config *tls.Config) { config.ClientAuth = auth }
}

func next(protocols ...string) func(*tls.Config) {
	return func(config *tls.Config) { config.NextProtos = protocols }
}

// onlyFor refuses every server name but one.
func onlyFor(name string) func(*tls.Config) {
	return func(config *tls.Config) {
		config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			if hello.ServerName != name {
				return nil, errors.New("another name")
			}
			return nil, nil
		}
	}
}

// longChain repeats a certificate, so that the handshake is long.
func longChain(config *tls.Config) {
	certificate := selfSigned().Certificates[0]
	for range 40 {
		certificate.Certificate = append(certificate.Certificate, certificate.Certificate[0])
	}
	config.Certificates = []tls.Certificate{certificate}
}

func tlsScenarios() map[string]scenario {
	return map[string]scenario{
		"TLS: HTTP/1.1":                         {webTLS(nil, false), get("/", https)},
		"TLS: HTTP/2 offered":                   {webTLS(nil, true), get("/", https)},
		"TLS: HTTP/2 only":                      {webTLS(nil, true, next("h2")), get("/", https)},
		"TLS: another protocol only":            {webTLS(nil, false, next("acme-tls/1")), get("/", https)},
		"TLS: a name is sent":                   {webTLS(nil, false, onlyFor("localhost")), get("/", https, host("localhost"))},
		"TLS: no name is sent to an address":    {webTLS(nil, false, onlyFor("")), get("/", https)},
		"TLS: a name is needed":                 {webTLS(nil, false, onlyFor("shop.example.org")), get("/", https)},
		"TLS: the Host field is not the name":   {webTLS(nil, false, onlyFor("shop.example.org")), get("/", https, field("Host", "shop.example.org"))},
		"TLS: 1.0 only":                         {webTLS(nil, false, versions(tls.VersionTLS10, tls.VersionTLS10)), get("/", https)},
		"TLS: 1.1 only":                         {webTLS(nil, false, versions(tls.VersionTLS11, tls.VersionTLS11)), get("/", https)},
		"TLS: 1.2 only":                         {webTLS(nil, true, versions(tls.VersionTLS12, tls.VersionTLS12)), get("/", https)},
		"TLS: 1.3 only":                         {webTLS(nil, true, versions(tls.VersionTLS13, tls.VersionTLS13)), get("/", https)},
		"TLS: 1.2, a client certificate needed": {webTLS(nil, false, versions(0, tls.VersionTLS12), clients(tls.RequireAnyClientCert)), get("/", https)},
		"TLS: 1.3, a client certificate needed": {webTLS(nil, false, clients(tls.RequireAnyClientCert)), get("/", https)},
		"TLS: a client certificate asked for":   {webTLS(nil, false, clients(tls.RequestClientCert)), get("/", https)},
		"TLS: old ciphers only": {webTLS(nil, false, versions(0, tls.VersionTLS12), func(config *tls.Config) {
			config.CipherSuites = []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}
		}), get("/", https)},
		"TLS: certificates of more than 24 KiB": {webTLS(nil, false, longChain), get("/", https)},
		"TLS: a server of plain HTTP":           {web(nil), get("/", https)},
		"TLS: a server that hangs":              {listen(hang), get("/", https)},
		"TLS: a server that closes":             {listen(func(net.Conn) {}), get("/", https)},
		"TLS: a server that hangs after it":     {rawTLS("http/1.1", hang), get("/", https)},
		"TLS: a server that closes after it":    {rawTLS("http/1.1", func(net.Conn) {}), get("/", https)},
		"TLS: plain HTTP to it":                 {webTLS(nil, false), get("/")},
		"TLS: a status of 503":                  {webTLS(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, false), get("/", https)},
		"TLS: a redirect":                       {webTLS(redirectOnce, false), get("/", https)},
		"TLS: the body is cut off": {rawTLS("http/1.1", func(c net.Conn) {
			if readRequest(c) {
				_, _ = c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"))
			}
		}), get("/", https)},
	}
}

func redirectOnce(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/" {
		http.Redirect(w, r, "/next", http.StatusFound)
	}
}

// http2Scenarios are HTTP/2 servers, each with TLS and without (h2c).
func http2Scenarios() map[string]scenario {
	h2c := get("/")
	h2c.HTTPGet.Protocol = new(corev1.HTTPProtocolHTTP2)
	all := map[string]scenario{}
	for sentence, served := range http2Servers(func(h http.HandlerFunc) server { return webTLS(h, true, next("h2")) },
		func(handle func(net.Conn)) server { return rawTLS("h2", handle) }) {
		all["HTTP/2: "+sentence] = scenario{served, get("/", https)}
	}
	for sentence, served := range http2Servers(webH2C, listen) {
		all["h2c: "+sentence] = scenario{served, h2c}
	}
	all["h2c: a server of HTTP/1.1"] = scenario{web(nil), h2c}
	all["h2c: a server with TLS"] = scenario{webTLS(nil, true), h2c}
	all["h2c: the server hangs"] = scenario{listen(hang), h2c}
	all["h2c: the port is closed"] = scenario{closed, h2c}
	all["HTTP/1.1: a server of h2c only"] = scenario{webH2C(nil), get("/")}
	return all
}

// http2Servers use a web server or handle each connection.
func http2Servers(web func(http.HandlerFunc) server, raw func(func(net.Conn)) server) map[string]server {
	code := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	h2 := func(write func(*http2.Framer)) server { return raw(frames(write)) }
	return map[string]server{
		"status 204":        web(code(204)),
		"status 404":        web(code(404)),
		"status 503":        web(code(503)),
		"status 304":        web(code(304)),
		"a redirect":        web(redirectOnce),
		"an endless body":   web(endless),
		"a body":            web(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 100<<10)) }),
		"a body that hangs": web(func(w http.ResponseWriter, r *http.Request) { w.(http.Flusher).Flush(); <-r.Context().Done() }),
		"a trailer": web(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(http.TrailerPrefix+"X", "y")
			_, _ = w.Write([]byte("a"))
		}),
		"interim answers": web(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(103); w.WriteHeader(200) }),
		"a panic":         web(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }),
		"8000 small fields": web(func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["X"] = strings.Split(strings.Repeat("a ", 8000), " ")
		}),
		"a field of 12 KiB":     h2(func(f *http2.Framer) { fields(f, true, ":status", "200", "x", strings.Repeat("\xff", 12<<10)) }),
		"a field of 20 KiB":     h2(func(f *http2.Framer) { fields(f, true, ":status", "200", "x", strings.Repeat("\xff", 20<<10)) }),
		"the end at once":       h2(func(f *http2.Framer) { fields(f, true, ":status", "200") }),
		"no status":             h2(func(f *http2.Framer) { fields(f, true, "x", "y") }),
		"a status of two":       h2(func(f *http2.Framer) { fields(f, true, ":status", "20") }),
		"a status after fields": h2(func(f *http2.Framer) { fields(f, true, "x", "y", ":status", "200") }),
		"two statuses":          h2(func(f *http2.Framer) { fields(f, true, ":status", "200", ":status", "200") }),
		"an unknown pseudo":     h2(func(f *http2.Framer) { fields(f, true, ":status", "200", ":x", "y") }),
		"a name in upper case":  h2(func(f *http2.Framer) { fields(f, true, ":status", "200", "X", "y") }),
		"NUL in a value":        h2(func(f *http2.Framer) { fields(f, true, ":status", "200", "x", "y\x00") }),
		"an interim end":        h2(func(f *http2.Framer) { fields(f, true, ":status", "100") }),
		"a stream that is reset": h2(func(f *http2.Framer) {
			_ = f.WriteRSTStream(1, http2.ErrCodeInternal)
		}),
		"a body that is reset": h2(func(f *http2.Framer) {
			fields(f, false, ":status", "200")
			_ = f.WriteRSTStream(1, http2.ErrCodeCancel)
		}),
		"a goodbye after the answer": h2(func(f *http2.Framer) {
			_ = f.WriteGoAway(1, http2.ErrCodeNo, nil)
			fields(f, true, ":status", "200")
		}),
		"a goodbye with an error": h2(func(f *http2.Framer) {
			_ = f.WriteGoAway(1, http2.ErrCodeProtocol, nil)
			fields(f, true, ":status", "200")
		}),
		"a body shorter than its length": h2(func(f *http2.Framer) {
			fields(f, false, ":status", "200", "content-length", "9")
			_ = f.WriteData(1, true, []byte("x"))
		}),
		"a body longer than its length": h2(func(f *http2.Framer) {
			fields(f, false, ":status", "200", "content-length", "1")
			_ = f.WriteData(1, true, []byte("xyz"))
		}),
		"a length and no body": h2(func(f *http2.Framer) { fields(f, true, ":status", "200", "content-length", "9") }),
		"a body before the header": h2(func(f *http2.Framer) {
			_ = f.WriteData(1, true, []byte("x"))
		}),
		"a second header": h2(func(f *http2.Framer) {
			fields(f, false, ":status", "200")
			fields(f, false, ":status", "200")
		}),
		"pings before the answer": h2(func(f *http2.Framer) {
			for range 5 {
				_ = f.WritePing(false, [8]byte{})
			}
			fields(f, true, ":status", "200")
		}),
		"a promise": h2(func(f *http2.Framer) {
			_ = f.WritePushPromise(http2.PushPromiseParam{StreamID: 1, PromiseID: 2, EndHeaders: true})
			fields(f, true, ":status", "200")
		}),
		"an answer in HTTP/1.1": raw(func(c net.Conn) { _, _ = c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) }),
		"no settings first": raw(func(c net.Conn) {
			f := http2.NewFramer(c, c)
			fields(f, true, ":status", "200")
			hang(c)
		}),
	}
}

// failing answers every health check with a status.
type failing struct {
	grpc_health_v1.UnimplementedHealthServer
	code codes.Code
}

func (f failing) Check(ctx context.Context, _ *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	if f.code == codes.DeadlineExceeded {
		<-ctx.Done()
	}
	return nil, status.Error(f.code, "message")
}

func grpcFailing(code codes.Code, options ...grpc.ServerOption) server {
	return func(t *testing.T, _ *seen) net.Addr {
		served := grpc.NewServer(options...)
		grpc_health_v1.RegisterHealthServer(served, failing{code: code})
		return serveGRPC(t, served)
	}
}

// grpcScenarios are gRPC servers, each with and without TLS.
func grpcScenarios() map[string]scenario {
	all := grpcServers("gRPC: ", nil, listen)
	maps.Copy(all, grpcServers("gRPC with TLS: ", new(corev1.GRPCProbeModeTLS),
		func(handle func(net.Conn)) server { return rawTLS("h2", handle) }, grpc.Creds(credentials.NewTLS(selfSigned()))))
	explicit, secured := grpcProbe(corev1.GRPCProbeModePlaintext), grpcProbe(corev1.GRPCProbeModeTLS)
	all["gRPC: without TLS by name"] = scenario{grpcHealth(), explicit}
	all["gRPC: a server with TLS"] = scenario{grpcHealth(grpc.Creds(credentials.NewTLS(selfSigned()))), explicit}
	all["gRPC with TLS: a server without TLS"] = scenario{grpcHealth(), secured}
	all["gRPC with TLS: a server of HTTP/1.1 without TLS"] = scenario{web(nil), secured}
	all["gRPC with TLS: a server without ALPN"] = scenario{rawTLS("", frames(func(*http2.Framer) {})), secured}
	all["gRPC with TLS: a server of HTTP/1.1 only"] = scenario{webTLS(nil, false), secured}
	return all
}

func grpcProbe(mode corev1.GRPCProbeMode) corev1.ProbeHandler {
	return corev1.ProbeHandler{GRPC: &corev1.GRPCAction{Mode: &mode}}
}

// grpcServers returns servers for a mode. They use a gRPC server with options or handle each
// connection.
func grpcServers(prefix string, mode *corev1.GRPCProbeMode, raw func(func(net.Conn)) server, options ...grpc.ServerOption) map[string]scenario {
	about := func(service string) corev1.ProbeHandler {
		return corev1.ProbeHandler{GRPC: &corev1.GRPCAction{Service: &service, Mode: mode}}
	}
	plain := corev1.ProbeHandler{GRPC: &corev1.GRPCAction{Mode: mode}}
	health := func(more ...grpc.ServerOption) server { return grpcHealth(slices.Concat(options, more)...) }
	ok := []string{":status", "200", "content-type", "application/grpc"}
	answer := func(message string, trailer ...string) server {
		return raw(frames(func(f *http2.Framer) {
			fields(f, false, ok...)
			if message != "" {
				_ = f.WriteData(1, false, []byte(message))
			}
			fields(f, true, trailer...)
		}))
	}
	serving := "\x00\x00\x00\x00\x02\x08\x01"
	all := map[string]scenario{
		prefix + "the server serves":                  {health(), plain},
		prefix + "an empty service":                   {health(), about("")},
		prefix + "a service that serves":              {health(), about("up")},
		prefix + "a service that does not serve":      {health(), about("down")},
		prefix + "a service that is not known":        {health(), about("other")},
		prefix + "a health that is not known":         {health(), about("odd")},
		prefix + "no health protocol":                 {func(t *testing.T, _ *seen) net.Addr { return serveGRPC(t, grpc.NewServer(options...)) }, plain},
		prefix + "the port is closed":                 {closed, plain},
		prefix + "the server hangs":                   {raw(hang), plain},
		prefix + "the server closes":                  {raw(func(net.Conn) {}), plain},
		prefix + "a server of HTTP/1.1":               {web(nil), plain},
		prefix + "the connection's age is short":      {health(grpc.ConnectionTimeout(time.Second)), plain},
		prefix + "settings, then silence":             {raw(frames(func(*http2.Framer) {})), plain},
		prefix + "an answer by hand":                  {answer(serving, "grpc-status", "0"), plain},
		prefix + "no status":                          {answer(serving, "x", "y"), plain},
		prefix + "a status that is no number":         {answer(serving, "grpc-status", "zero"), plain},
		prefix + "no message":                         {answer("", "grpc-status", "0"), plain},
		prefix + "an empty message":                   {answer("\x00\x00\x00\x00\x00", "grpc-status", "0"), plain},
		prefix + "a message that is cut off":          {answer(serving[:6], "grpc-status", "0"), plain},
		prefix + "a message that is compressed":       {answer("\x01"+serving[1:], "grpc-status", "0"), plain},
		prefix + "a message that is malformed":        {answer("\x00\x00\x00\x00\x02\x08\xff", "grpc-status", "0"), plain},
		prefix + "a message with more fields":         {answer("\x00\x00\x00\x00\x04\x08\x01\x10\x07", "grpc-status", "0"), plain},
		prefix + "two messages":                       {answer(serving+serving, "grpc-status", "0"), plain},
		prefix + "a message and an error":             {answer(serving, "grpc-status", "14"), plain},
		prefix + "a status alone":                     {raw(frames(func(f *http2.Framer) { fields(f, true, append(ok, "grpc-status", "0")...) })), plain},
		prefix + "HTTP status 404":                    {raw(frames(func(f *http2.Framer) { fields(f, true, ":status", "404") })), plain},
		prefix + "another content type":               {raw(frames(func(f *http2.Framer) { fields(f, true, ":status", "200", "content-type", "text/html") })), plain},
		prefix + "no content type":                    {raw(frames(func(f *http2.Framer) { fields(f, true, ":status", "200", "grpc-status", "0") })), plain},
		prefix + "a stream that is reset":             {raw(frames(func(f *http2.Framer) { _ = f.WriteRSTStream(1, http2.ErrCodeRefusedStream) })), plain},
		prefix + "an answer that has no end":          {raw(frames(func(f *http2.Framer) { fields(f, false, ok...); _ = f.WriteData(1, false, []byte(serving)) })), plain},
		prefix + "an answer that ends without status": {raw(frames(func(f *http2.Framer) { fields(f, false, ok...); _ = f.WriteData(1, true, []byte(serving)) })), plain},
	}
	for _, code := range []codes.Code{codes.Canceled, codes.Unknown, codes.DeadlineExceeded, codes.PermissionDenied, codes.Unauthenticated, codes.Internal} {
		all[prefix+"code "+code.String()] = scenario{grpcFailing(code, options...), plain}
	}
	return all
}
