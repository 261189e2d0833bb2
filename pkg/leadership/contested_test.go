package leadership

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// The two candidates for the Lease.
const us, them = "us", "them"

var errAway = errors.New("away")

// contested is the Lease in the API server. Them, the other candidate, see every change at
// once, faster than any real elector, and so know the earliest moment at which they may
// acquire it.
type contested struct {
	mu      sync.Mutex
	record  resourcelock.LeaderElectionRecord
	version int
	written time.Time
	// seen is the last record that they read, and since the time at which they first read it.
	seen  []byte
	since time.Time
}

// put replaces the record if it still has the version base; 0 means that there is none.
func (c *contested) put(record resourcelock.LeaderElectionRecord, base int) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if base != c.version {
		return 0, apierrors.NewConflict(coordinationv1.Resource("leases"), "lease", errors.New("another version"))
	}
	c.record, c.version, c.written = record, c.version+1, time.Now()
	_, raw, err := (&gateLock{Interface: &looker{record: record}}).Get(context.Background())
	if !bytes.Equal(raw, c.seen) {
		c.seen, c.since = raw, time.Now()
	}
	return c.version, err
}

func (c *contested) get() (resourcelock.LeaderElectionRecord, int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.record, c.version
}

// recordOf returns the record that a holder would write now.
func (c *contested) recordOf(holder string, lasts time.Duration) resourcelock.LeaderElectionRecord {
	now := metav1.Now()
	return resourcelock.LeaderElectionRecord{
		HolderIdentity: holder, LeaseDurationSeconds: int(lasts / time.Second), AcquireTime: now, RenewTime: now,
	}
}

// free returns the earliest moment at which they may lead, as electors compute it.
func (c *contested) free() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.record.HolderIdentity == "" {
		return time.Time{}
	}
	return c.since.Add(time.Duration(c.record.LeaseDurationSeconds) * time.Second)
}

// taken makes them acquire or renew the Lease if they may.
func (c *contested) taken() {
	record, version := c.get()
	if record.HolderIdentity == them || !time.Now().Before(c.free()) {
		_, _ = c.put(c.recordOf(them, 15*time.Second), version)
	}
}

// givenBack makes them release the Lease if they hold it.
func (c *contested) givenBack() {
	if record, version := c.get(); record.HolderIdentity == them {
		_, _ = c.put(c.recordOf("", time.Second), version)
	}
}

// mayWriteUntil returns nil if we may write until a time.
func (c *contested) mayWriteUntil(end time.Time) error {
	if record, _ := c.get(); record.HolderIdentity != us {
		return fmt.Errorf("the Lease belongs to %q", record.HolderIdentity)
	}
	if free := c.free(); end.After(free) {
		return fmt.Errorf("a write may take %s longer than the Lease lasts", end.Sub(free))
	}
	return nil
}

// age returns the time since the record was written.
func (c *contested) age() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Since(c.written)
}

// looker reads a record like a Lease lock.
type looker struct {
	resourcelock.Interface
	record resourcelock.LeaderElectionRecord
}

// Get implements resourcelock.Interface.
func (l *looker) Get(context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	raw, err := json.Marshal(l.record)
	return &l.record, raw, err
}

// fate says what happens to a request.
type fate struct {
	// delay is the time until it reaches the API server.
	delay time.Duration
	// lost is true if it never reaches the API server, unanswered if its answer is lost.
	lost, unanswered bool
}

// line is our connection to the Lease.
type line struct {
	lease *contested
	// answerTimeout is the maximum wait for an answer; 0 means no limit.
	answerTimeout time.Duration

	mu       sync.Mutex
	fates    []fate
	thaw     time.Time
	requests int
	// base is the version that the next update replaces.
	base int
}

// meet sets the fate of the next requests.
func (l *line) meet(requests int, f fate) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for range requests {
		l.fates = append(l.fates, f)
	}
}

// freeze stops all requests of the process for a time.
func (l *line) freeze(d time.Duration) {
	l.mu.Lock()
	l.thaw = time.Now().Add(d)
	l.mu.Unlock()
}

func (l *line) thawed() {
	l.mu.Lock()
	thaw := l.thaw
	l.mu.Unlock()
	<-time.After(time.Until(thaw))
}

// sent returns the number of requests.
func (l *line) sent() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.requests
}

// request applies the fate to a request. The request may take effect after the client
// stopped waiting for the answer.
func (l *line) request(ctx context.Context, effect func() error) error {
	l.thawed()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var f fate
	l.mu.Lock()
	l.requests++
	if len(l.fates) > 0 {
		f, l.fates = l.fates[0], l.fates[1:]
	}
	l.mu.Unlock()
	if l.answerTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, l.answerTimeout)
		defer cancel()
	}
	answer := make(chan error, 1)
	go func() {
		<-time.After(f.delay)
		if f.lost {
			answer <- errAway
			return
		}
		answer <- effect()
	}()
	var err error
	select {
	case err = <-answer:
	case <-ctx.Done():
		err = ctx.Err()
	}
	l.thawed()
	if err == nil && f.unanswered {
		return errAway
	}
	return err
}

// Get implements resourcelock.Interface.
func (l *line) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	var record resourcelock.LeaderElectionRecord
	version := 0
	err := l.request(ctx, func() error {
		if record, version = l.lease.get(); version == 0 {
			return apierrors.NewNotFound(coordinationv1.Resource("leases"), "lease")
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	l.base = version
	return (&looker{record: record}).Get(ctx)
}

// Create implements resourcelock.Interface.
func (l *line) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.put(ctx, record, 0)
}

// Update implements resourcelock.Interface.
func (l *line) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	if l.base == 0 {
		return errors.New("nothing was read yet")
	}
	return l.put(ctx, record, l.base)
}

func (l *line) put(ctx context.Context, record resourcelock.LeaderElectionRecord, base int) error {
	version := 0
	err := l.request(ctx, func() (err error) {
		version, err = l.lease.put(record, base)
		return err
	})
	if err == nil {
		l.base = version
	}
	return err
}

// Identity implements resourcelock.Interface.
func (l *line) Identity() string { return us }

// Describe implements resourcelock.Interface.
func (l *line) Describe() string { return "system/lease" }

// RecordEvent implements resourcelock.Interface.
func (l *line) RecordEvent(string) {}
