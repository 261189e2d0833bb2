package server

import (
	"bytes"
	"sync"
	"time"

	"k8s.io/klog/v2"
)

// logInterval is the minimum interval between two lines about the same problem, however
// many clients cause it.
const logInterval = time.Minute

// limiter decides whether an occurrence is logged now. The zero value is ready for use.
type limiter struct {
	mu    sync.Mutex
	next  time.Time
	count int
}

// happened returns the number of occurrences since the last log line, or 0 if this one
// is not logged now.
func (l *limiter) happened() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count++
	now := time.Now()
	if now.Before(l.next) {
		return 0
	}
	count := l.count
	l.count, l.next = 0, now.Add(logInterval)
	return count
}

// connectionLog receives the lines that net/http logs of a server.
type connectionLog struct {
	logger                klog.Logger
	handshakes, others    limiter
	refusedForTheirNumber limiter
}

// panicked is the beginning of net/http's line with a handler's panic and its stack.
var panicked = []byte("http: panic serving")

// Write logs a line of net/http. The text of such a line may repeat what a
// client sent, so only its kind is logged, unless a handler panicked.
func (l *connectionLog) Write(line []byte) (int, error) {
	switch {
	case bytes.HasPrefix(line, panicked):
		l.logger.Error(nil, "Request handler panicked", "problem", string(bytes.TrimSpace(line)))
	case bytes.Contains(line, []byte("TLS handshake error")):
		if count := l.handshakes.happened(); count > 0 {
			l.logger.Info("TLS handshakes with clients failed", "count", count)
		}
	default:
		if count := l.others.happened(); count > 0 {
			l.logger.Info("Connections of clients failed", "count", count)
		}
	}
	return len(line), nil
}

// refused logs a connection that was closed because there were too many.
func (l *connectionLog) refused(client string) {
	if count := l.refusedForTheirNumber.happened(); count > 0 {
		l.logger.Info("Rejected connections: too many are open", "count", count, "lastClient", client,
			"maximum", maxConnections, "maximumPerClient", maxConnectionsPerClient)
	}
}
