package readiness

import (
	"context"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/failure"
)

const (
	// MinExpiry is the minimum time after which a workload may be deleted.
	MinExpiry = 5 * time.Minute
	// expiryInterval is the interval between two checks of all workloads.
	expiryInterval = 30 * time.Second
	// maxExpiriesPerLook is the maximum number of workloads that one check deletes, so
	// that an operator has time to notice a problem of the probes.
	maxExpiriesPerLook = 10

	// reasonInvalidExpiry: the annotation has no valid time.
	reasonInvalidExpiry = "InvalidExpiry"
)

var (
	// eventExpired on a workload: it was deleted because its probe has failed for long.
	eventExpired = kinds.Normal("Expired", "DeleteExpired")
	// eventInvalidExpiry on a workload: it does not expire because its annotation is
	// invalid.
	eventInvalidExpiry = kinds.Warning(reasonInvalidExpiry, actionDecode)
)

// expiryOf returns how long a workload may be not ready before it is deleted; 0 for no
// limit.
func expiryOf(workload *v1beta1.ExternalWorkload) (time.Duration, error) {
	value := workload.Annotations[v1beta1.DeleteAfterUnreadyAnnotation]
	if value == "" {
		return 0, nil
	}
	after, err := time.ParseDuration(value)
	if err != nil || after < MinExpiry {
		return 0, fmt.Errorf("annotation %s is %q; it must be a time of at least %s, such as 1h", v1beta1.DeleteAfterUnreadyAnnotation, clip(value), MinExpiry)
	}
	return after, nil
}

// expired reports whether a workload should be deleted: its probe has failed for the
// whole time in its annotation, and all of that time is after watched, the last moment
// at which probes were not reliable. failing returns since when the probes of its present
// targets fail; zero if they do not, or are not sent. It is called only if all else says
// so, as few workloads ask to expire. Only probed workloads expire, and not those that
// are already being deleted.
func expired(workload *v1beta1.ExternalWorkload, failing func() time.Time, watched, now time.Time) bool {
	after, err := expiryOf(workload)
	if err != nil || after == 0 || workload.DeletionTimestamp != nil {
		return false
	}
	if _, probed := workload.Annotations[v1beta1.ProbeAnnotation]; !probed {
		return false
	}
	ready := find(workload.Status.Conditions, v1beta1.WorkloadReady)
	if ready == nil || ready.Status != v1beta1.ConditionFalse || ready.Reason != ReasonProbeFailed || ready.LastTransitionTime.IsZero() {
		return false
	}
	before := now.Add(-after)
	if ready.LastTransitionTime.After(before) || watched.After(before) {
		return false
	}
	since := failing()
	return !since.IsZero() && !since.After(before)
}

// expiry deletes workloads that have expired.
type expiry struct {
	mu sync.Mutex
	// watched is when probes were last not reliable: at the start, or during a hold.
	watched time.Time
	held    bool
	// rejected are the invalid values that an Event has reported already, by workload.
	rejected map[cache.ObjectName]string
}

// setHold records whether readiness is held.
func (e *expiry) setHold(held bool, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if held || e.held {
		e.watched = now
	}
	e.held = held
}

// trustedSince returns since when probes are reliable, and whether they are.
func (e *expiry) trustedSince() (time.Time, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.watched, !e.held
}

// expire deletes expired workloads until ctx is cancelled.
func (c *Controller) expire(ctx context.Context) {
	c.expiry.mu.Lock()
	c.expiry.watched, c.expiry.rejected = c.config.Clock.Now(), map[cache.ObjectName]string{}
	c.expiry.mu.Unlock()
	c.every(ctx, expiryInterval, func() { c.expireOnce(ctx) })
}

// expireOnce deletes the workloads that have expired by now.
func (c *Controller) expireOnce(ctx context.Context) {
	watched, trusted := c.expiry.trustedSince()
	if !trusted {
		return
	}
	now, deleted := c.config.Clock.Now(), 0
	for _, lister := range c.listers {
		// A lister does not fail here.
		workloads, _ := lister.List(labels.Everything())
		for _, workload := range workloads {
			c.rejectExpiry(workload)
			failing := func() time.Time { return c.observations(workload).failingSince() }
			if deleted == maxExpiriesPerLook || !expired(workload, failing, watched, now) {
				continue
			}
			deleted++
			c.deleteExpired(ctx, workload)
		}
	}
}

// rejectExpiry records an Event about an invalid annotation, once.
func (c *Controller) rejectExpiry(workload *v1beta1.ExternalWorkload) {
	_, err := expiryOf(workload)
	key, value := cache.MetaObjectToName(workload), workload.Annotations[v1beta1.DeleteAfterUnreadyAnnotation]
	if err == nil {
		delete(c.expiry.rejected, key)
		return
	}
	if c.expiry.rejected[key] != value {
		c.expiry.rejected[key] = value
		c.config.Observer.AnnotationRejected(reasonInvalidExpiry)
		c.config.Events.Record(eventInvalidExpiry, workload, nil, "%s", err.Error())
	}
}

// deleteExpired deletes a workload, unless it has changed since it was read.
func (c *Controller) deleteExpired(ctx context.Context, workload *v1beta1.ExternalWorkload) {
	requestContext, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	logger := klog.FromContext(ctx).WithValues("workload", klog.KObj(workload))
	err := c.config.Client.WorkloadV1beta1().ExternalWorkloads(workload.Namespace).Delete(requestContext, workload.Name, metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: &workload.UID, ResourceVersion: &workload.ResourceVersion},
	})
	switch {
	case err == nil:
		c.config.Observer.WorkloadExpired()
		logger.Info("Deleted a workload whose probe has failed for as long as its annotation allows")
		c.config.Events.Record(eventExpired, workload, nil,
			"Deleted: the probe has failed for %s", workload.Annotations[v1beta1.DeleteAfterUnreadyAnnotation])
	case apierrors.IsNotFound(err), apierrors.IsConflict(err):
		// It is gone, or has changed; the next look decides again.
	default:
		c.config.Observer.Failed(Name, failure.Reason(err))
		logger.Error(err, "Failed to delete an expired workload; the controller retries")
	}
}
