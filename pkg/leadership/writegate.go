package leadership

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// ErrWriteGateClosed is returned for a write that was refused because the Lease is not
// held.
var ErrWriteGateClosed = errors.New("not written: this process does not hold the leader election Lease")

// WriteGate permits write requests only while the Lease is certainly held: for one
// Lease duration after the start of the last request that acquired or renewed it.
// Others wait at least that long, by their own clocks, after they have observed that
// request. The time is monotonic, so changes of the wall clock do not matter. A
// WriteGate is safe for concurrent use; the zero WriteGate is closed.
type WriteGate struct {
	mu    sync.RWMutex
	open  bool
	until time.Time
}

// OpenWriteGate returns a gate for a process that needs no Lease.
func OpenWriteGate() *WriteGate { return &WriteGate{open: true} }

func (f *WriteGate) extend(until time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.until = until
}

func (f *WriteGate) close() { f.extend(time.Time{}) }

// deadline is until when writing is allowed; limited is false if it always is.
func (f *WriteGate) deadline() (until time.Time, limited bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.until, !f.open
}

// Guard returns a transport that sends write requests only with the Lease. It fits
// rest.Config.Wrap.
func (f *WriteGate) Guard(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		until, limited := f.deadline()
		if !limited || reads(request.Method) {
			return next.RoundTrip(request)
		}
		if !time.Now().Before(until) {
			return nil, ErrWriteGateClosed
		}
		ctx, cancel := context.WithDeadlineCause(request.Context(), until, ErrWriteGateClosed)
		response, err := next.RoundTrip(request.WithContext(ctx))
		if err != nil {
			cancel()
			return nil, err
		}
		response.Body = &cancellingBody{ReadCloser: response.Body, cancel: cancel}
		return response, nil
	})
}

func reads(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (r roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }

// cancellingBody cancels the request's context when it is closed.
type cancellingBody struct {
	io.ReadCloser
	cancel context.CancelFunc
}

// Close implements io.Closer.
func (b *cancellingBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}
