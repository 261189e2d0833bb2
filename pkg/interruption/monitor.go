package interruption

import (
	"sync"
	"time"
)

const (
	// margin is how long consumers may take to list, once they have asked.
	margin = 3 * time.Second
	// maxWait is the longest time that an informer of client-go waits between two
	// requests: 30 s, and as much again by chance.
	maxWait = time.Minute
	// resumedFor is how long after a watch went on it may still end because the
	// API server has forgotten its resourceVersion, so that a list follows.
	resumedFor = 2 * time.Second
	// unseen is how long the API server may have been away before this process
	// started: a container that fails again and again starts every five minutes.
	unseen = 10 * time.Minute
	// brokenFor is how long a list or watch that fails alone counts as interrupted
	// while it has not been listed again. If it fails for longer, nothing has to
	// wait for it.
	brokenFor = time.Minute
)

// Monitor is notified of the requests of informers. It is safe for concurrent use.
type Monitor struct {
	mu sync.Mutex
	// answered are the lists and watches that the API server ever answered, and
	// broken those that are interrupted.
	answered map[string]struct{}
	broken   map[string]breakage
	// from and until are the last interruption after which anything was listed again.
	from, until time.Time
}

// breakage is an interruption of one list or watch.
type breakage struct {
	since time.Time
	// resumed is when the watch went on where it had ended; zero until then.
	resumed time.Time
}

// over reports whether a watch went on for so long that nothing was lost.
func (b breakage) over(now time.Time) bool {
	return !b.resumed.IsZero() && now.Sub(b.resumed) >= resumedFor
}

// New makes a Monitor.
func New() *Monitor {
	return &Monitor{answered: map[string]struct{}{}, broken: map[string]breakage{}}
}

// Recovery tells from when watches were interrupted and until when consumers may
// lack what was written since shortly before. The latter is in the past if they
// do not, and in the near future while watches are interrupted.
func (m *Monitor) Recovery() (from, until time.Time) {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	from, until = m.from, m.until
	if !now.Before(until) {
		from = time.Time{}
	}
	unreachable := m.unreachable()
	for key, b := range m.broken {
		end := now.Add(resumedFor)
		switch {
		case b.over(now):
			delete(m.broken, key)
			continue
		case !b.resumed.IsZero():
			end = b.resumed.Add(resumedFor)
		case now.Sub(b.since) > brokenFor && !unreachable:
			continue
		}
		if from.IsZero() || b.since.Before(from) {
			from = b.since
		}
		if end.After(until) {
			until = end
		}
	}
	return from, until
}

// unreachable reports whether no list or watch is answered, so that the API server
// itself is away. Mostly nothing is broken, which takes no loop.
func (m *Monitor) unreachable() bool {
	if len(m.broken) == 0 {
		return false
	}
	for key := range m.answered {
		if b, broken := m.broken[key]; !broken || !b.resumed.IsZero() {
			return false
		}
	}
	return true
}

// Interrupted records that this process has waited for the API server for a time
// that ends now. When it went away is unknown.
func (m *Monitor) Interrupted(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	since := time.Now().Add(-d)
	m.listed(since)
	if before := since.Add(-unseen); before.Before(m.from) {
		m.from = before
	}
}

// failed takes note that a list or watch failed, or ended too early. It tells
// whether that is new.
func (m *Monitor) failed(key string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, known := m.broken[key]
	if known && b.resumed.IsZero() {
		return false
	}
	if now := time.Now(); !known || b.over(now) {
		b.since = now
	}
	m.broken[key] = breakage{since: b.since}
	return true
}

// resumes reports whether a list or watch is interrupted, so that its next watch
// goes on where the last one ended.
func (m *Monitor) resumes(key string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, broken := m.broken[key]
	return broken
}

// succeeded takes note that the API server answered a request of a list or watch.
// It tells for how long that was interrupted, or zero.
func (m *Monitor) succeeded(key string, lists bool) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.answered[key] = struct{}{}
	b, known := m.broken[key]
	switch {
	case !known || b.over(time.Now()):
		delete(m.broken, key)
		return 0
	case lists:
		delete(m.broken, key)
		m.listed(b.since)
	case b.resumed.IsZero():
		b.resumed = time.Now()
		m.broken[key] = b
	default:
		return 0
	}
	return time.Since(b.since)
}

// listed takes note that something was listed again after an interruption.
func (m *Monitor) listed(since time.Time) {
	now := time.Now()
	if !now.Before(m.until) || since.Before(m.from) {
		m.from = since
	}
	if until := now.Add(waitAfter(now.Sub(since))); until.After(m.until) {
		m.until = until
	}
}

// waitAfter is how long consumers may take to list again once the API server is
// back that was away for a time. Informers double their pause after each failure
// and add up to as much by chance, so the one in which the API server comes back
// lasts about twice as long as all before.
func waitAfter(away time.Duration) time.Duration { return min(2*away, maxWait) + margin }
