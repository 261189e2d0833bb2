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

// The two who want the Lease.
const us, them = "us", "them"

var errAway = errors.New("away")

// contested is the Lease as the API server keeps it. They look at it whenever it
// changes, as no elector does in truth, and so know the earliest moment at which
// they may take it.
type contested struct {
	mu      sync.Mutex
	record  resourcelock.LeaderElectionRecord
	version int
	written time.Time
	// seen is what they read last, and since is when they read it first.
	seen  []byte
	since time.Time
}

// put replaces the record if it is still of a version; 0 is that of no record.
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

// recordOf returns what a holder would write now.
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

// taken lets them take or renew the Lease, if they may.
func (c *contested) taken() {
	record, version := c.get()
	if record.HolderIdentity == them || !time.Now().Before(c.free()) {
		_, _ = c.put(c.recordOf(them, 15*time.Second), version)
	}
}

// givenBack lets them give the Lease back, if they have it.
func (c *contested) givenBack() {
	if record, version := c.get(); record.HolderIdentity == them {
		_, _ = c.put(c.recordOf("", time.Second), version)
	}
}

// mayWriteUntil is nil if we may write until a moment.
func (c *contested) mayWriteUntil(end time.Time) error {
	if record, _ := c.get(); record.HolderIdentity != us {
		return fmt.Errorf("the Lease belongs to %q", record.HolderIdentity)
	}
	if free := c.free(); end.After(free) {
		return fmt.Errorf("it may take %s longer than the Lease", end.Sub(free))
	}
	return nil
}

// age returns how long ago the record was written.
func (c *contested) age() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Since(c.written)
}

// looker reads a record as a Lease gives it.
type looker struct {
	resourcelock.Interface
	record resourcelock.LeaderElectionRecord
}

// Get implements resourcelock.Interface.
func (l *looker) Get(context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	raw, err := json.Marshal(l.record)
	return &l.record, raw, err
}

// fate is what becomes of a request.
type fate struct {
	// delay is how long it takes to the API server.
	delay time.Duration
	// lost says that it never comes there, and unanswered that its answer is lost.
	lost, unanswered bool
}

// line is our way to the Lease.
type line struct {
	lease *contested
	// answerTimeout is how long an answer is waited for; 0 is for ever.
	answerTimeout time.Duration

	mu       sync.Mutex
	fates    []fate
	thaw     time.Time
	requests int
	// base is the version that our next update replaces.
	base int
}

// meet gives a fate to the next requests.
func (l *line) meet(requests int, f fate) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for range requests {
		l.fates = append(l.fates, f)
	}
}

// freeze keeps the process from going on with any request for a time.
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

// sent returns how many requests there were.
func (l *line) sent() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.requests
}

// request lets a request meet its fate. It may take effect after the answer
// was given up.
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
