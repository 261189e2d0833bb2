package hold

import (
	"time"

	"k8s.io/client-go/tools/cache"
)

const (
	// sampleSize is how many targets are probed early at a time at most.
	sampleSize = 64

	// sampleInterval is the shortest time between two samples. It bounds what a
	// tenant whose workloads flip can make the prober ask of others.
	sampleInterval = 500 * time.Millisecond

	// holdSampleInterval is the time between samples during a hold, so that its
	// end is found soon also where all periods are long.
	holdSampleInterval = 5 * time.Second
)

// sample chooses targets whose last result is older than since. Namespaces
// take turns, one target each, and the next sample begins with other
// namespaces and other targets. Those chosen are outstanding from now on.
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

// stale returns the next target of the namespace that has no result since a
// time and none outstanding; nil if there is none. visited counts those looked
// at in this sample.
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

// rotate puts the first n namespaces last.
func (e *evidence) rotate(n int) {
	if n = min(n, len(e.order)); n > 0 && n < len(e.order) {
		first := append([]*namespace(nil), e.order[:n]...)
		copy(e.order, e.order[n:])
		copy(e.order[len(e.order)-n:], first)
	}
}
