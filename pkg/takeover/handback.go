package takeover

import (
	"context"
	"errors"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"
)

// ErrKept is returned if an instance of this controller renews the Lease and would take
// it again.
var ErrKept = errors.New("an instance of this controller keeps the Lease: stop it, or start it without --take-over-lease, first")

// HandBack frees a Lease that this controller has taken or parked, so that Linkerd's
// controller leads within seconds. It returns the holder that it removed, or "" if the
// Lease has no holder or another one, which it does not change. It returns ErrKept
// while a running instance renews the Lease.
func HandBack(ctx context.Context, leases coordinationclient.LeasesGetter, name types.NamespacedName) (holder string, err error) {
	err = retry.RetryOnConflict(retry.DefaultRetry, func() error {
		lease, err := leases.Leases(name.Namespace).Get(ctx, name.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		holder = ptr.Deref(lease.Spec.HolderIdentity, "")
		switch {
		case !isOurs(holder):
			holder = ""
			return nil
		case holder != parked && valid(lease):
			return ErrKept
		}
		_, err = leases.Leases(name.Namespace).Update(ctx, freed(lease), metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		return "", fmt.Errorf("handing back Lease %s: %w", name, err)
	}
	return holder, nil
}

// valid reports whether a Lease was renewed within its duration. A time further in the
// future than a duration says nothing: the clock of its holder was wrong.
func valid(lease *coordinationv1.Lease) bool {
	duration := time.Duration(ptr.Deref(lease.Spec.LeaseDurationSeconds, 0)) * time.Second
	return lease.Spec.RenewTime != nil && time.Since(lease.Spec.RenewTime.Time).Abs() < duration
}

// freed returns the Lease without holder, as an elector leaves it that stops.
func freed(lease *coordinationv1.Lease) *coordinationv1.Lease {
	next := lease.DeepCopy()
	now := metav1.NewMicroTime(time.Now())
	next.Spec.HolderIdentity, next.Spec.LeaseDurationSeconds = nil, new(int32(shortSeconds))
	next.Spec.RenewTime, next.Spec.AcquireTime = &now, &now
	return next
}
