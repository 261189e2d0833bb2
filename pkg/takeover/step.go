package takeover

import (
	"context"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
	"k8s.io/utils/ptr"
)

const (
	// retryPause is the wait after a failed request, as in Linkerd's elector.
	retryPause = 2 * time.Second
	// conflictPause is the wait after an update that conflicted with a renewal of the
	// holder.
	conflictPause = 100 * time.Millisecond
	// lookPause is the maximum interval between two reads of the Lease.
	lookPause = 30 * time.Second
	// renewals is the number of renewals within the Lease's duration.
	renewals = 8

	// firstRetake is the wait before a lost Lease is acquired again. It doubles with
	// each loss up to lastRetake, so that two processes that both want the Lease do not
	// take it from each other continuously.
	firstRetake = 10 * time.Second
	lastRetake  = time.Hour
	// quietPeriod is how long the Lease has to be held until earlier losses no longer
	// count.
	quietPeriod = 2 * lastRetake
)

// step reads the Lease once, acts on it, and returns the wait until the next step.
func (t *Takeover) step(ctx context.Context) time.Duration {
	lease, err := t.leases().Get(ctx, t.config.Lease.Name, metav1.GetOptions{})
	if err != nil {
		return t.unreadable(ctx, err)
	}
	t.absent = false
	holder := ptr.Deref(lease.Spec.HolderIdentity, "")
	switch {
	case !t.held && time.Now().Before(t.retake):
		return min(lookPause, time.Until(t.retake))
	case !t.held:
		return t.take(ctx, lease)
	case holder == t.holder():
		return t.renew(ctx, lease)
	case t.ours(holder):
		// Another instance leads now, and renews the Lease.
		return lookPause
	default:
		return t.lost(ctx, holder)
	}
}

// unreadable logs why the Lease cannot be read, and returns the wait.
func (t *Takeover) unreadable(ctx context.Context, err error) time.Duration {
	switch {
	case apierrors.IsNotFound(err):
		t.logOnce(ctx, "There is no such Lease: Linkerd's controller has not run here, and there is nothing to take over; "+
			"correct --take-over-lease if Linkerd runs in another namespace. The Lease will be taken when it appears")
		t.held, t.absent = false, true
		return lookPause
	case forbidden(err):
		t.logOnce(ctx, fmt.Sprintf("The Lease of Linkerd's controller cannot be read: give the service account permission to get and update it, as the chart does with linkerd.takeOver: %v", err))
	default:
		t.logOnce(ctx, fmt.Sprintf("The Lease of Linkerd's controller cannot be read; it is retried by the controller: %v", err))
	}
	return retryPause
}

// take sets this process as the holder.
func (t *Takeover) take(ctx context.Context, lease *coordinationv1.Lease) time.Duration {
	former := ptr.Deref(lease.Spec.HolderIdentity, "")
	begin := time.Now()
	next := t.taken(lease, begin)
	if err := t.update(ctx, next); err != nil {
		return t.unwritten(ctx, err)
	}
	t.held, t.since, t.renewed, t.logged = true, time.Now(), begin, ""
	quiet := t.config.Quiet
	if t.ours(former) {
		// It was acquired from Linkerd's controller at the time of acquisition.
		quiet = min(quiet, max(0, next.Spec.AcquireTime.Add(quiet).Sub(begin)))
	}
	t.silent = t.since.Add(quiet)
	klog.FromContext(ctx).Info("Took the Lease of Linkerd's controller", "formerHolder", former, "mode", t.config.Mode, "silentIn", quiet.Round(time.Millisecond))
	return pauseOf(next)
}

// renew renews the Lease. When this is due is measured with the monotonic clock: after the
// wall clock has gone back, the time in the Lease is in the future for as long.
func (t *Takeover) renew(ctx context.Context, lease *coordinationv1.Lease) time.Duration {
	if t.losses > 0 && time.Since(t.since) > quietPeriod {
		t.losses = 0
	}
	if begin := time.Now(); lease.Spec.RenewTime == nil || begin.Sub(t.renewed) >= renewalOf(lease) {
		next := lease.DeepCopy()
		next.Spec.RenewTime = new(metav1.NewMicroTime(begin))
		if err := t.update(ctx, next); err != nil {
			return t.unwritten(ctx, err)
		}
		t.renewed = begin
	}
	t.logged = ""
	return pauseOf(lease)
}

// lost handles another holder of the Lease. Publishing continues: both processes write
// mostly the same content, and where they differ, the final holder of the Lease
// decides.
func (t *Takeover) lost(ctx context.Context, holder string) time.Duration {
	pause := min(firstRetake<<min(t.losses, 10), lastRetake)
	t.held, t.losses, t.retake = false, t.losses+1, time.Now().Add(pause)
	if holder == "" {
		holder = "nobody"
	}
	klog.FromContext(ctx).Error(nil, "The Lease of Linkerd's controller was taken back, so both may write the same slices now; it is taken again after a pause. "+
		"Stop this controller, or start it without --take-over-lease, if Linkerd's is to go on", "holder", holder, "pause", pause, "losses", t.losses)
	return min(lookPause, pause)
}

// unwritten logs why the Lease cannot be updated, and returns the wait.
func (t *Takeover) unwritten(ctx context.Context, err error) time.Duration {
	switch {
	case apierrors.IsConflict(err):
		return conflictPause // its holder renewed it meanwhile
	case forbidden(err):
		t.logOnce(ctx, fmt.Sprintf("The Lease of Linkerd's controller cannot be taken: give the service account permission to get and update it, as the chart does with linkerd.takeOver: %v", err))
	default:
		t.logOnce(ctx, fmt.Sprintf("The Lease of Linkerd's controller cannot be written; it is retried by the controller: %v", err))
	}
	return retryPause
}

func forbidden(err error) bool { return apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) }
