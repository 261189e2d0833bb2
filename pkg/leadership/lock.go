package leadership

import (
	"context"
	"errors"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// renewals is how often a Lease is renewed within its duration.
const renewals = 8

// errWorking keeps the elector from giving the Lease back too early.
var errWorking = errors.New("the Lease is not given back while the work goes on; it will expire")

// gateLock opens the gate whenever the Lease was taken or renewed. Renewals
// that the elector asks for soon after the last are left out. When the elector
// could not renew the Lease it would give it back before it tells the work to
// stop; that is refused. Only the elector's one goroutine calls it.
type gateLock struct {
	resourcelock.Interface
	gate     *WriteGate
	duration time.Duration
	// mayGiveBack reports whether the work has stopped.
	mayGiveBack func() bool
	// ended, if given, reports whether the process of an identity has ended. It is
	// dropped when this process holds the Lease.
	ended func(identity string) bool
	// holder is whom the Lease belonged to when it was read last.
	holder string
	// renewed is when the last request that took or renewed the Lease began;
	// zero while it is not held.
	renewed time.Time
}

// Get implements resourcelock.Interface. The elector takes a Lease that reads as
// before for one that nobody has renewed, and reads the time of the renewal
// without its fraction. So the second of two renewals within a second would not
// count, though its writer relies on it; here the time is added as it stands.
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
		if !l.mayGiveBack() {
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

// held opens the gate if a request made or kept us the holder.
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
