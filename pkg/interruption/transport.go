package interruption

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"k8s.io/klog/v2"
)

const (
	// firstPause and maxPause bound the pause before a failed request is tried again.
	firstPause = 50 * time.Millisecond
	maxPause   = time.Second
	// early is how much before its time a watch has to end to count as interrupted.
	early = 5 * time.Second
)

// Keep makes a transport for the list and watch requests of informers. A request
// that fails because the API server is away is tried again until its context
// ends. It fits rest.Config.Wrap.
func (m *Monitor) Keep(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		if request.Method != http.MethodGet {
			return next.RoundTrip(request)
		}
		query := request.URL.Query()
		key := request.URL.Path + "?" + query.Get("labelSelector")
		response, err := m.retry(next, request, key)
		if err != nil {
			return nil, err
		}
		watches := query.Get("watch") == "true" || query.Get("watch") == "1"
		if response.StatusCode != http.StatusOK {
			return response, nil
		}
		lists := !watches || query.Get("sendInitialEvents") == "true"
		if !lists && m.resumes(key) && wentBack(next, request, query) {
			_ = response.Body.Close()
			klog.Background().Info("The API server's storage went back to an earlier state, as after a restore from a backup; listing again", "request", request.URL.Path)
			return gone(request), nil
		}
		if away := m.succeeded(key, lists); away > 0 {
			klog.Background().Info("The API server answers again", "request", request.URL.Path, "away", away.Round(time.Millisecond), "listed", lists)
		}
		if watches {
			response.Body = &watchBody{ReadCloser: response.Body, ctx: request.Context(), until: endOf(query), broken: func() { m.failed(key) }}
		}
		return response, nil
	})
}

// retry sends a request until the API server answers it.
func (m *Monitor) retry(next http.RoundTripper, request *http.Request, key string) (*http.Response, error) {
	ctx := request.Context()
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		response, err := next.RoundTrip(request)
		if ctx.Err() != nil || err == nil && !away(response.StatusCode) {
			return response, err
		}
		status := "" // of an answer that says that the API server is away
		if err == nil {
			status = response.Status
			_ = response.Body.Close()
		}
		if m.failed(key) {
			klog.Background().Info("The API server does not answer; the request is tried again", "request", request.URL.Path, "err", err, "status", status)
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

// away reports whether a status says that there is no API server that works.
func away(status int) bool {
	switch status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	default:
		return false
	}
}

// endOf is when the API server ends a watch that begins now.
func endOf(query url.Values) time.Time {
	seconds, err := strconv.Atoi(query.Get("timeoutSeconds"))
	if err != nil {
		return time.Time{}
	}
	return time.Now().Add(time.Duration(seconds) * time.Second)
}

// watchBody tells when a watch ends before its time.
type watchBody struct {
	io.ReadCloser
	ctx    context.Context
	until  time.Time
	broken func()
	closed atomic.Bool
}

// Close implements io.Closer.
func (b *watchBody) Close() error {
	b.closed.Store(true)
	return b.ReadCloser.Close()
}

// Read implements io.Reader. The watch has ended with an error if it was neither
// closed here nor has lasted as long as it was asked for.
func (b *watchBody) Read(buffer []byte) (int, error) {
	n, err := b.ReadCloser.Read(buffer)
	if err != nil && !b.closed.Load() && b.ctx.Err() == nil && time.Now().Before(b.until.Add(-early)) {
		b.broken()
	}
	return n, err
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (r roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }
