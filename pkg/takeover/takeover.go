// Package takeover takes the Lease under which Linkerd's own controller writes
// EndpointSlices, so that it stays passive while this process leads.
//
// Linkerd's controller cannot be switched off, but it writes only while it
// holds its Lease. A Takeover names itself the holder, waits until the former
// holder has noticed, and keeps the Lease from then on as an ordinary elector
// would. It never creates the Lease and never deletes it: where there is none,
// no such controller has run and there is nothing to take. It must only run
// while this process holds its own leader election Lease; of several instances
// exactly one is to keep Linkerd's.
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
	// Renew keeps the Lease renewed in our name. Linkerd's controller goes on
	// one duration of the Lease (30 s) after the last renewal.
	Renew Mode = "renew"
	// Park makes nobody the holder, for a day at a time. Linkerd's controller
	// stays passive for a day after this process has stopped, or until HandBack.
	Park Mode = "park"
)

// DefaultQuiet is how long the former holder may go on writing what it had
// begun: Linkerd's notices within 10 s that it cannot renew, and was seen to
// write nothing new after 12 s.
const DefaultQuiet = 12 * time.Second

// Config is all that a Takeover depends on.
type Config struct {
	// Leases reads and updates the Lease. It must not go through the gate of
	// our own leader election, and its requests must have a timeout.
	Leases coordinationclient.LeasesGetter
	// Lease is the Lease to take.
	Lease types.NamespacedName
	// Identity is this instance's name; another instance has another.
	Identity string
	// Mode is what becomes of the Lease when this process stops.
	Mode Mode
	// Quiet is how long to wait between taking the Lease from somebody else and
	// the first write; zero for DefaultQuiet.
	Quiet time.Duration
}

// Takeover takes and keeps the Lease. Lead is called once.
type Takeover struct {
	config Config

	// held is true from when we became the holder until somebody else was seen.
	held bool
	// since is when we last became the holder.
	since time.Time
	// silent is when the former holder will have fallen silent.
	silent time.Time
	// absent is true while there is no such Lease.
	absent bool
	// losses is how often the Lease was lost without being held for long in between.
	losses int
	// retake is when a lost Lease is taken again.
	retake time.Time
	// said is the last problem that was logged.
	said string
}

// New makes a Takeover. It does nothing before Lead.
func New(config Config) *Takeover {
	if config.Quiet == 0 {
		config.Quiet = DefaultQuiet
	}
	return &Takeover{config: config}
}

// Lead takes the Lease, waits until the former holder has fallen silent and
// calls work, whose error it returns. It keeps the Lease until work returns, and
// touches it no more when it returns itself. If ctx is cancelled before work
// begins, it returns nil. While the Lease cannot be read or taken, work does not
// begin, and the log says why; if there is no such Lease, it begins at once, and
// the Lease is taken when it appears.
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

// keep looks at the Lease again and again until ctx is cancelled. It closes
// mayWrite when the former holder has fallen silent and the Lease is still ours.
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

// logOnce logs a problem when it begins or becomes another.
func (t *Takeover) logOnce(ctx context.Context, problem string) {
	if problem != t.said && ctx.Err() == nil {
		klog.FromContext(ctx).Error(nil, problem)
		t.said = problem
	}
}

// sleep returns false as soon as ctx is cancelled.
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

// Validate says what is wrong with a mode.
func (m Mode) Validate() error {
	if m != Renew && m != Park {
		return fmt.Errorf("%q, want %s or %s", string(m), Renew, Park)
	}
	return nil
}
