package probe

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"

	"golang.org/x/net/http/httpguts"
)

const (
	// maxRedirects is the maximum number of redirects on the same host.
	maxRedirects = 10

	// maxBodyBytes is the part of a body that must arrive, unless it is shorter.
	maxBodyBytes = 10 << 10
)

var (
	errTooManyRedirects = fmt.Errorf("stopped after %d redirects", maxRedirects)
	errRequest          = errors.New("the request cannot be sent as it is; correct its header fields")
	errScheme           = errors.New("the answer is a redirect to a URL that is neither http nor https")
)

// http succeeds if the status is 2xx or 3xx and the first bytes of the body arrive.
// http.Client follows the redirects; every request has a separate connection.
func (p *Prober) http(ctx context.Context, spec *Spec, target Target) Result {
	client := &http.Client{
		Transport:     &transport{prober: p, serverName: spec.ServerName, http2: spec.Request.HTTP2},
		CheckRedirect: checkRedirect,
	}
	request := (&http.Request{
		Method:     http.MethodGet,
		URL:        spec.url(target),
		Header:     spec.Request.Header.Clone(),
		Host:       spec.Request.Host,
		Proto:      "HTTP/1.1",
		ProtoMajor: 1,
		ProtoMinor: 1,
	}).WithContext(ctx)
	response, err := client.Do(request)
	if err != nil {
		return failed(spec, err)
	}
	defer func() { _ = response.Body.Close() }()
	if err := readBody(response.Body); err != nil {
		return failed(spec, err)
	}
	return judgeStatus(response.StatusCode)
}

func judgeStatus(code int) Result {
	switch {
	case code >= http.StatusOK && code < http.StatusMultipleChoices:
		return Result{Outcome: Success}
	case code >= http.StatusMultipleChoices && code < http.StatusBadRequest:
		return Result{Outcome: Success, Warning: true, Message: fmt.Sprintf("HTTP status %d: redirects to other hosts are not followed", code)}
	default:
		return Result{Outcome: Failure, Message: fmt.Sprintf("HTTP status %d", code)}
	}
}

// readBody reads as much of a body as kubelet does, and discards it.
func readBody(body io.Reader) error {
	var buffer [512]byte
	for left := maxBodyBytes; left > 0; {
		n, err := body.Read(buffer[:min(len(buffer), left)])
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		left -= n
	}
	return nil
}

// checkRedirect follows redirects on the same host. A redirect to another host ends the
// probe, with a warning.
func checkRedirect(request *http.Request, via []*http.Request) error {
	if request.URL.Hostname() != via[0].URL.Hostname() {
		return http.ErrUseLastResponse
	}
	if len(via) >= maxRedirects {
		return errTooManyRedirects
	}
	return nil
}

// transport is an [http.RoundTripper] whose memory does not depend on the response.
// That of net/http stores all header fields and needs two goroutines.
type transport struct {
	prober     *Prober
	serverName string
	// http2 is true if HTTP/2 is used without TLS.
	http2 bool
}

// RoundTrip sends one request and reads the header of the response. Closing the body
// closes the connection.
func (t *transport) RoundTrip(request *http.Request) (*http.Response, error) {
	secure := request.URL.Scheme == "https"
	if !secure && request.URL.Scheme != "http" {
		return nil, errScheme
	}
	opened, err := t.prober.dial(request.Context(), addressOf(request.URL))
	if err != nil {
		return nil, err
	}
	response, err := t.exchange(opened, request, secure)
	if err != nil {
		_ = opened.Close()
		return nil, err
	}
	return response, nil
}

func (t *transport) exchange(opened *connection, request *http.Request, secure bool) (*http.Response, error) {
	if !secure {
		if t.http2 {
			return exchangeHTTP2(opened, opened, request)
		}
		return exchangeHTTP1(opened, opened, request)
	}
	// As in kubelet: the host of the URL, or none if it is an address.
	name := t.serverName
	if name == "" {
		name = request.URL.Hostname()
	}
	client, err := opened.secure(name, "h2", "http/1.1")
	if err != nil {
		return nil, err
	}
	if client.ConnectionState().NegotiatedProtocol == "h2" {
		return exchangeHTTP2(opened, client, request)
	}
	return exchangeHTTP1(opened, client, request)
}

func addressOf(target *url.URL) string {
	port := target.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[target.Scheme]
	}
	return net.JoinHostPort(target.Hostname(), port)
}

// exchangeHTTP1 sends a request in HTTP/1.1 over the connection, or over TLS on it.
func exchangeHTTP1(opened *connection, layer io.ReadWriter, request *http.Request) (*http.Response, error) {
	var sent bytes.Buffer
	if !httpguts.HeaderValuesContainsToken(request.Header["Connection"], "close") {
		request = request.Clone(request.Context())
		request.Header.Add("Connection", "close")
	}
	if err := request.Write(&sent); err != nil {
		return nil, errRequest
	}
	if _, err := layer.Write(sent.Bytes()); err != nil {
		return nil, err
	}
	reader := bufio.NewReaderSize(layer, bufferBytes)
	for {
		status, head, err := readHead(reader)
		if err != nil {
			return nil, err
		}
		if status >= 100 && status < 200 && status != http.StatusSwitchingProtocols {
			continue
		}
		// net/http reads the header and the body.
		rest := bufio.NewReaderSize(io.MultiReader(bytes.NewReader(head), reader), bufferBytes)
		response, err := http.ReadResponse(rest, request)
		if err != nil {
			return nil, errMalformed
		}
		response.Body = &body{ReadCloser: response.Body, connection: opened}
		return response, nil
	}
}

// body is the body of an answer in HTTP/1.1.
type body struct {
	io.ReadCloser
	connection *connection
	complete   bool
}

// Read replaces net/http's errors about a malformed body.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	switch {
	case err == nil:
	case errors.Is(err, io.EOF):
		b.complete = true
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, errTooLarge), isTimeout(err):
	default:
		if _, is := errors.AsType[*net.OpError](err); !is {
			err = errMalformed
		}
	}
	return n, err
}

// Close closes the connection, if possible after the server.
func (b *body) Close() error {
	if b.complete {
		b.connection.awaitEnd()
	}
	return b.connection.Close()
}
