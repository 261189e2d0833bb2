package takeover

import (
	"context"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/utils/ptr"
)

const (
	// parked is the holder of a parked Lease, which no process holds.
	parked = "parked"
	// prefix begins the identity of an instance of this controller, so that the next
	// instance knows that Linkerd's controller did not write since.
	prefix = "external-workload-controller:"

	// parkedSeconds is the duration of a parked Lease: a day.
	parkedSeconds = 86400
	// usualSeconds is the duration that Linkerd's elector sets.
	usualSeconds = 30
	// shortSeconds is the duration of a Lease that is free.
	shortSeconds = 1
)

func (t *Takeover) leases() coordinationclient.LeaseInterface {
	return t.config.Leases.Leases(t.config.Lease.Namespace)
}

// update writes a Lease with its resourceVersion, so that the API server refuses it if
// the Lease was written since it was read.
func (t *Takeover) update(ctx context.Context, lease *coordinationv1.Lease) error {
	_, err := t.leases().Update(ctx, lease, metav1.UpdateOptions{})
	return err
}

// holder returns the name under which the Lease is held.
func (t *Takeover) holder() string {
	if t.config.Mode == Park {
		return parked
	}
	return prefix + t.config.Identity
}

// ours reports whether a holder is an instance of this controller or the parked
// Lease's.
func (t *Takeover) ours(holder string) bool { return isOurs(holder) }

func isOurs(holder string) bool { return holder == parked || strings.HasPrefix(holder, prefix) }

// taken returns the Lease with this process as its holder. It keeps the time of
// acquisition if the former holder was an instance of this controller.
func (t *Takeover) taken(lease *coordinationv1.Lease, now time.Time) *coordinationv1.Lease {
	next := lease.DeepCopy()
	former := ptr.Deref(lease.Spec.HolderIdentity, "")
	next.Spec.HolderIdentity = new(t.holder())
	next.Spec.RenewTime = new(metav1.NewMicroTime(now))
	if next.Spec.AcquireTime == nil || !isOurs(former) {
		next.Spec.AcquireTime = new(metav1.NewMicroTime(now))
	}
	if former != t.holder() {
		next.Spec.LeaseTransitions = new(ptr.Deref(lease.Spec.LeaseTransitions, 0) + 1)
	}
	switch seconds := ptr.Deref(lease.Spec.LeaseDurationSeconds, 0); {
	case t.config.Mode == Park:
		next.Spec.LeaseDurationSeconds = new(int32(parkedSeconds))
	case former == parked || former == "" || seconds <= shortSeconds:
		// This is not the duration that Linkerd's elector chose.
		next.Spec.LeaseDurationSeconds = new(int32(usualSeconds))
	}
	return next
}

// renewalOf returns the interval between two renewals of a Lease.
func renewalOf(lease *coordinationv1.Lease) time.Duration {
	return time.Duration(ptr.Deref(lease.Spec.LeaseDurationSeconds, 0)) * time.Second / renewals
}

// pauseOf returns the time until a Lease that this controller holds is read again.
func pauseOf(lease *coordinationv1.Lease) time.Duration {
	return max(conflictPause, min(lookPause, renewalOf(lease)))
}
