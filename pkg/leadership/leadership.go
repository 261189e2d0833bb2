// Package leadership lets one process of several do the writing, by a Lease.
//
// Two things go beyond the elector of client-go. The Lease is given back only
// after the work has stopped, so that nothing is written without it. And a
// WriteGate refuses every writing request that would begin, or still run, when the
// Lease may belong to somebody else: a process that was frozen beyond its
// Lease and goes on writes nothing.
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

// ErrLost says that the Lease was lost while the work went on. The process
// should end and begin again.
var ErrLost = errors.New("the leader election Lease was lost")

// Config is how the leader is elected.
type Config struct {
	// Lock is the Lease. Its client must not go through the WriteGate.
	Lock resourcelock.Interface
	// LeaseDuration is how long others wait after the last renewal that they saw.
	// A Lease tells it to them in whole seconds, so a fraction counts as one more.
	LeaseDuration time.Duration
	// RenewDeadline is how long renewing is tried before the Lease counts as lost.
	RenewDeadline time.Duration
	// RetryPeriod is the pause between two tries to take the Lease, which bounds
	// how long it stays vacant after it was given back. The holder renews it
	// less often, about eight times in a LeaseDuration.
	RetryPeriod time.Duration
	// WriteGate is opened while the Lease is held.
	WriteGate *WriteGate
	// Ended, if given, reports whether the process of an identity is known to have
	// ended, as an earlier process of the same Pod has. A Lease that was left by it
	// is taken at once. It is asked until this process has held the Lease for the
	// first time, so that two processes never take the Lease from each other.
	Ended func(identity string) bool
	// OnChange, if set, is called when this process begins and ceases to lead.
	OnChange func(leading bool)
}

// Run waits for the Lease and calls lead while it is held. When ctx is
// cancelled it waits for lead to return, gives the Lease back and returns what
// lead returned. It returns ErrLost if the Lease was lost.
func Run(ctx context.Context, config Config, lead func(context.Context) error) error {
	config.LeaseDuration = wholeSeconds(config.LeaseDuration)
	logger := klog.LoggerWithValues(klog.FromContext(ctx), "lease", config.Lock.Describe(), "identity", config.Lock.Identity())
	term := &term{config: config, lead: lead, stop: ctx, done: make(chan struct{})}
	electing, end := context.WithCancel(klog.NewContext(context.WithoutCancel(ctx), logger))
	defer end()
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: &gateLock{
			Interface: config.Lock, gate: config.WriteGate, duration: config.LeaseDuration, mayGiveBack: term.mayGiveBack, ended: config.Ended,
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
