package leadership

import (
	"context"
	"errors"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// renewals is the number of renewals within the duration of a Lease.
const renewals = 8

// errWorking prevents the elector from releasing the Lease too early.
var errWorking = errors.New("the Lease is not given back while the work goes on; it will expire")

// gateLock is the elector's Lock. It opens the gate whenever the Lease was acquired or
// renewed, skips renewals soon after the last one, and refuses to release the Lease
// before the work has stopped: after a failed renewal, the elector releases it before
// it stops the work. Only the elector's goroutine calls it.
type gateLock struct {
	resourcelock.Interface
	gate     *WriteGate
	duration time.Duration
	// mayRelease reports whether the work has stopped.
	mayRelease func() bool
	// ended, if set, reports whether the process of an identity has exited. It is
	// dropped once this process holds the Lease.
	ended func(identity string) bool
	// holder is the holder of the Lease when it was last read.
	holder string
	// renewed is when the last successful request to acquire or renew the Lease began;
	// zero while it is not held.
	renewed time.Time
}

// Get implements resourcelock.Interface. The elector treats a Lease that did not change
// as not renewed, and reads the renew time without its fraction, so it would miss the
// second of two renewals within one second, although the holder relies on it. Get
// therefore returns the time with its fraction.
func (l *gateLock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	record, raw, err := l.Interface.Get(ctx)
	if err == nil {
		l.holder = record.HolderIdentity
		raw = record.RenewTime.AppendFormat(raw, time.RFC3339Nano)
		if l.ended != nil && record.HolderIdentity != l.Identity() && l.ended(record.HolderIdentity) {
			record.HolderIdentity = "" // for the elector nobody has it
		}
	}
	return record, raw, err
}

// Create implements resourcelock.Interface.
func (l *gateLock) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	begin := time.Now()
	record.RenewTime = metav1.NewTime(begin)
	return l.held(begin, record, l.Interface.Create(ctx, record))
}

// Update implements resourcelock.Interface.
func (l *gateLock) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	begin := time.Now()
	mine := record.HolderIdentity == l.Identity()
	if mine && !l.renewed.IsZero() && begin.Sub(l.renewed) < l.duration/renewals {
		return nil
	}
	if !mine {
		l.gate.close()
		if !l.mayRelease() {
			return errWorking
		}
		if l.holder != l.Identity() {
			return nil // somebody else has it, while the elector still thinks of us
		}
	}
	// The elector gives the second request of a try the time of the first. If
	// that took effect without an answer, others would see no renewal.
	record.RenewTime = metav1.NewTime(begin)
	return l.held(begin, record, l.Interface.Update(ctx, record))
}

// held opens the gate if a request made or kept this process the holder.
func (l *gateLock) held(begin time.Time, record resourcelock.LeaderElectionRecord, err error) error {
	switch {
	case err != nil:
		l.renewed = time.Time{}
	case record.HolderIdentity == l.Identity():
		l.renewed, l.ended = begin, nil
		l.gate.extend(begin.Add(l.duration))
	default:
		l.renewed = time.Time{}
	}
	return err
}
