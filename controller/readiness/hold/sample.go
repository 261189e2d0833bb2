package hold

import (
	"time"

	"k8s.io/client-go/tools/cache"
)

const (
	// sampleSize is the maximum number of targets in a sample.
	sampleSize = 64

	// sampleInterval is the minimum interval between two samples. It limits the probes
	// of others that a tenant with flapping workloads can cause.
	sampleInterval = 500 * time.Millisecond

	// holdSampleInterval is the interval between samples during a hold, so that its end
	// is detected soon even if all periods are long.
	holdSampleInterval = 5 * time.Second
)

// sample selects targets whose last result is older than since. Namespaces take turns,
// one target each, and the next sample starts with other namespaces and other targets.
// The selected targets are pending from now on.
func (e *evidence) sample(now, reference, since time.Time) []cache.ObjectName {
	var chosen []cache.ObjectName
	visited := make([]int, len(e.order))
	for progress := true; progress && len(chosen) < sampleSize; {
		progress = false
		for i, of := range e.order {
			if len(chosen) == sampleSize {
				break
			}
			if next := of.stale(&visited[i], now, reference, since); next != nil {
				next.asked = now
				chosen = append(chosen, next.key)
				progress = true
			}
		}
	}
	e.rotate(len(chosen))
	return chosen
}

// stale returns the next target of the namespace that has no result since a time and is
// not pending; nil if there is none. visited counts the targets that this sample has
// checked.
func (n *namespace) stale(visited *int, now, reference, since time.Time) *target {
	for *visited < len(n.targets) {
		n.next = (n.next + 1) % len(n.targets)
		*visited++
		candidate := n.targets[n.next]
		failedLongAgo := !candidate.failingSince.IsZero() && !candidate.fails(now, reference)
		outstanding := !candidate.asked.IsZero() && now.Sub(candidate.asked) < window
		if !failedLongAgo && !outstanding && candidate.probed.Before(since) {
			return candidate
		}
	}
	return nil
}

// rotate moves the first n namespaces to the end.
func (e *evidence) rotate(n int) {
	if n = min(n, len(e.order)); n > 0 && n < len(e.order) {
		first := append([]*namespace(nil), e.order[:n]...)
		copy(e.order, e.order[n:])
		copy(e.order[len(e.order)-n:], first)
	}
}
