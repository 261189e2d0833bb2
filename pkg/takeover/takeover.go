// Package takeover acquires the Lease under which Linkerd's own controller writes
// EndpointSlices, so that it stays passive while this process leads.
//
// Linkerd's controller cannot be disabled, but it writes only while it holds its Lease.
// A Takeover sets this process as the holder, waits until the former holder has
// noticed, and then renews the Lease as an elector does. It never creates or deletes
// the Lease: without a Lease, Linkerd's controller has never run. It must run only
// while this process holds its own leader election Lease, so that only one instance
// renews Linkerd's.
package takeover

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/klog/v2"
)

// Mode is what becomes of the Lease when this process stops.
type Mode string

// The modes.
const (
	// Renew renews the Lease in the name of this process. Linkerd's controller resumes
	// one duration of the Lease (30 s) after the last renewal.
	Renew Mode = "renew"
	// Park sets a holder that does not exist, for a day at a time. Linkerd's controller
	// stays passive for a day after this process has stopped, or until HandBack.
	Park Mode = "park"
)

// DefaultQuiet is how long the former holder may still write what it had begun:
// Linkerd's controller notices within 10 s that it cannot renew, and wrote nothing new
// after 12 s in tests.
const DefaultQuiet = 12 * time.Second

// Config has the dependencies and settings of a Takeover.
type Config struct {
	// Leases reads and updates the Lease. It must not go through the write gate of our
	// own leader election, and its requests need a timeout.
	Leases coordinationclient.LeasesGetter
	// Lease is the Lease to take.
	Lease types.NamespacedName
	// Identity is the unique name of this instance.
	Identity string
	// Mode is what becomes of the Lease when this process stops.
	Mode Mode
	// Quiet is the wait between acquiring the Lease from another process and the first
	// write; zero for DefaultQuiet.
	Quiet time.Duration
}

// Takeover acquires and renews the Lease. Lead is called once.
type Takeover struct {
	config Config

	// held is true from when this process became the holder until another holder was
	// observed.
	held bool
	// since is when this process last became the holder.
	since time.Time
	// renewed is when this process last began to write the Lease with success.
	renewed time.Time
	// silent is when the former holder stops writing at the latest.
	silent time.Time
	// absent is true while the Lease does not exist.
	absent bool
	// losses is the number of times that the Lease was lost without being held for long
	// in between.
	losses int
	// retake is when a lost Lease is acquired again.
	retake time.Time
	// logged is the last problem that was logged.
	logged string
}

// New returns a Takeover. It does nothing before Lead.
func New(config Config) *Takeover {
	if config.Quiet == 0 {
		config.Quiet = DefaultQuiet
	}
	return &Takeover{config: config}
}

// Lead acquires the Lease, waits until the former holder has stopped writing, and calls
// work, whose error it returns. It renews the Lease until work returns, and does not
// touch it afterwards. If ctx is cancelled before work starts, it returns nil. While
// the Lease cannot be read or acquired, work does not start, and the log says why. If
// the Lease does not exist, work starts at once, and the Lease is acquired when it
// appears.
func (t *Takeover) Lead(ctx context.Context, work func(context.Context) error) error {
	logger := klog.LoggerWithValues(klog.FromContext(ctx), "takenLease", t.config.Lease)
	keeping, stop := context.WithCancel(klog.NewContext(ctx, logger))
	mayWrite := make(chan struct{})
	var keeper sync.WaitGroup
	keeper.Go(func() { t.keep(keeping, mayWrite) })
	defer keeper.Wait()
	defer stop()

	select {
	case <-mayWrite:
		return work(ctx)
	case <-ctx.Done():
		return nil
	}
}

// keep reads the Lease periodically until ctx is cancelled. It closes mayWrite when the
// former holder has stopped writing and this process still holds the Lease.
func (t *Takeover) keep(ctx context.Context, mayWrite chan<- struct{}) {
	for waiting := true; ; {
		pause := t.step(ctx)
		switch left := time.Until(t.silent); {
		case !waiting:
		case t.absent, t.held && left <= 0:
			close(mayWrite)
			waiting = false
		case t.held:
			pause = min(pause, left)
		}
		if !sleep(ctx, pause) {
			return
		}
	}
}

// logOnce logs a problem when it first occurs or changes.
func (t *Takeover) logOnce(ctx context.Context, problem string) {
	if problem != t.logged && ctx.Err() == nil {
		klog.FromContext(ctx).Error(nil, problem)
		t.logged = problem
	}
}

// sleep returns false once ctx is cancelled.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}

// Validate returns an error that says what is wrong with a mode.
func (m Mode) Validate() error {
	if m != Renew && m != Park {
		return fmt.Errorf("%q, want %s or %s", string(m), Renew, Park)
	}
	return nil
}
