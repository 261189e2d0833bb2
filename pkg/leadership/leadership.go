// Package leadership elects one process of several as the leader, with a Lease, and
// prevents writes by all others.
//
// It differs from client-go's elector in two ways. The Lease is released only after the
// work has stopped, so nothing is written without it. And a WriteGate refuses every
// write request that would begin, or still run, when another process may hold the
// Lease: a process that was frozen until its Lease expired writes nothing when it
// continues.
package leadership

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"
)

// ErrLost is returned when the Lease was lost during the work. The process should exit
// and restart.
var ErrLost = errors.New("the leader election Lease was lost")

// Config configures the election.
type Config struct {
	// Lock is the Lease. Its client must not go through the WriteGate.
	Lock resourcelock.Interface
	// LeaseDuration is how long others wait after the last renewal that they observed.
	// The Lease stores whole seconds, so a fraction is rounded up.
	LeaseDuration time.Duration
	// RenewDeadline is how long the leader retries to renew the Lease before it counts
	// as lost.
	RenewDeadline time.Duration
	// RetryPeriod is the interval between attempts to acquire the Lease, which limits
	// how long a released Lease stays vacant. The holder renews it less often, about
	// eight times in a LeaseDuration.
	RetryPeriod time.Duration
	// WriteGate is opened while the Lease is held.
	WriteGate *WriteGate
	// Ended, if set, reports whether the process of an identity is known to have
	// exited, such as an earlier process of the same Pod. Its Lease is acquired at
	// once. Ended is called until this process has held the Lease for the first time,
	// so that two processes never take the Lease from each other.
	Ended func(identity string) bool
	// OnChange, if set, is called when this process starts and stops leading.
	OnChange func(leading bool)
}

// Run waits for the Lease and calls lead while it is held. When ctx is cancelled, it
// waits for lead to return, releases the Lease and returns the result of lead. It
// returns ErrLost if the Lease was lost.
func Run(ctx context.Context, config Config, lead func(context.Context) error) error {
	config.LeaseDuration = wholeSeconds(config.LeaseDuration)
	logger := klog.LoggerWithValues(klog.FromContext(ctx), "lease", config.Lock.Describe(), "identity", config.Lock.Identity())
	term := &term{config: config, lead: lead, stop: ctx, done: make(chan struct{})}
	electing, end := context.WithCancel(klog.NewContext(context.WithoutCancel(ctx), logger))
	defer end()
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: &gateLock{
			Interface: config.Lock, gate: config.WriteGate, duration: config.LeaseDuration, mayRelease: term.mayRelease, ended: config.Ended,
		},
		LeaseDuration:   config.LeaseDuration,
		RenewDeadline:   config.RenewDeadline,
		RetryPeriod:     config.RetryPeriod,
		ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: term.begin,
			OnStoppedLeading: config.WriteGate.close,
			OnNewLeader: func(identity string) {
				logger.Info("Saw a leader", "leader", identity)
			},
		},
	})
	if err != nil {
		return fmt.Errorf("configuring leader election: %w", err)
	}
	go func() {
		select {
		case <-ctx.Done():
			term.end()
		case <-term.done:
		case <-electing.Done():
		}
		end()
	}()
	elector.Run(electing)
	return term.outcome(ctx)
}

// wholeSeconds rounds a duration up.
func wholeSeconds(d time.Duration) time.Duration {
	return (d + time.Second - 1).Truncate(time.Second)
}
