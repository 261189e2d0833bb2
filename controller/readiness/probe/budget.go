package probe

import (
	"context"

	"golang.org/x/sync/semaphore"
)

const (
	// DefaultMemory is the memory in bytes for all probes in flight.
	DefaultMemory = 64 << 20
	// MinMemory suffices for one probe of each kind.
	MinMemory = 1 << 20
)

// What one probe in flight takes in bytes at most, whatever the server does;
// TestHostileServersStayWithinTheBudget measures it.
const (
	costTCP   = 16 << 10
	costHTTP  = 40 << 10
	costHTTP2 = 80 << 10
	costTLS   = 48 << 10
)

// Cost is the memory in bytes that the budget sets aside for a probe in flight.
func Cost(spec *Spec) int64 {
	var cost int64
	switch {
	case spec.Kind == TCP:
		return costTCP
	case spec.Kind == HTTP && !spec.Secure && !spec.Request.HTTP2:
		return costHTTP
	default:
		// A server may choose HTTP/2 once TLS is set up.
		cost = costHTTP2
	}
	if spec.Secure {
		cost += costTLS
	}
	return cost
}

// budget is the memory for all probes in flight. A number of probes would not
// do: what one takes differs tenfold.
type budget struct{ free *semaphore.Weighted }

func newBudget(memory int64) budget {
	return budget{free: semaphore.NewWeighted(max(memory, MinMemory))}
}

// take waits until there is room for the probe, in the order of asking.
func (b budget) take(ctx context.Context, spec *Spec) (done func(), err error) {
	cost := Cost(spec)
	if err := b.free.Acquire(ctx, cost); err != nil {
		return nil, err
	}
	return func() { b.free.Release(cost) }, nil
}
