package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
)

const (
	// maxRedirects is how many redirects on the same host are followed.
	maxRedirects = 10

	// maxHeaderBytes bounds what is read of an answer. Of its body nothing is
	// read: only the status counts.
	maxHeaderBytes = 32 << 10

	// bufferBytes is the size of a connection's buffers.
	bufferBytes = 4 << 10
)

var errTooManyRedirects = fmt.Errorf("stopped after %d redirects", maxRedirects)

// http succeeds if the status is 2xx or 3xx.
func (p *Prober) http(ctx context.Context, spec *Spec, target Target) Result {
	transport := p.transport(spec.Request.ServerName)
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, CheckRedirect: checkRedirect}

	request := (&http.Request{
		Method:     http.MethodGet,
		URL:        spec.Request.url(target),
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
	// Nothing more is wanted of the answer.
	_ = response.Body.Close()
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

// transport is for one probe: the server name differs from workload to
// workload, and no connection may outlive the probe.
func (p *Prober) transport(serverName string) *http.Transport {
	return &http.Transport{
		DialContext:            p.dialer.DialContext,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeaderBytes,
		ReadBufferSize:         bufferBytes,
		WriteBufferSize:        bufferBytes,
		TLSClientConfig: &tls.Config{
			ServerName: serverName,
			// As kubelet does: a probe asks whether the machine serves, not who it is.
			InsecureSkipVerify: true, //nolint:gosec // see above
		},
	}
}

// checkRedirect follows redirects on the same host only. One to another host
// is an answer, not a place to go to.
func checkRedirect(request *http.Request, via []*http.Request) error {
	if request.URL.Hostname() != via[0].URL.Hostname() {
		return http.ErrUseLastResponse
	}
	if len(via) >= maxRedirects {
		return errTooManyRedirects
	}
	return nil
}

// isTLSError tells errors of the handshake from others.
func isTLSError(err error) (message string, is bool) {
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok || errors.Is(err, http.ErrSchemeMismatch) {
		return "the answer is not TLS", true
	}
	if alert, ok := errors.AsType[tls.AlertError](err); ok {
		return alert.Error(), true
	}
	return "", false
}
