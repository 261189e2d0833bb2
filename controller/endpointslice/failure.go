package endpointslice

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/cache"

	"github.com/external-workload/controller/controller/loop"
)

// The reasons of failed writes, in metrics and Events.
const (
	reasonConflict    = "Conflict"
	reasonDenied      = "Denied"
	reasonForbidden   = "Forbidden"
	reasonInvalid     = "Invalid"
	reasonQuota       = "QuotaExceeded"
	reasonStopped     = "Stopped"
	reasonTerminating = "NamespaceTerminating"
	reasonThrottled   = "Throttled"
	reasonTimeout     = "Timeout"
	reasonUnavailable = "Unavailable"
)

// terminatingRetry is when a Service of a namespace that is being deleted is synced again.
// The namespace may have been created again, and only this API server does not know yet.
const terminatingRetry = time.Minute

// failed converts the failure of a write into the sync's outcome. In a namespace that
// is being deleted nothing can be created, and nothing has to be.
func (c *Controller) failed(key cache.ObjectName, err error) (loop.Outcome, error) {
	reason := failureReason(err)
	if reason == reasonTerminating {
		return loop.Outcome{Result: resultTerminating, After: terminatingRetry}, nil
	}
	c.config.Observer.Failed(Name, reason)
	outcome := loop.Outcome{Result: loop.ResultError}
	if reason == reasonConflict {
		outcome.Result = resultConflict
	}
	return outcome, fmt.Errorf("publishing Service %s: %w", key, err)
}

// namespaceGoing reports whether a write failed because its namespace is being deleted
// or does not exist.
func namespaceGoing(err error) bool {
	if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return true
	}
	status, ok := errors.AsType[*apierrors.StatusError](err)
	return ok && apierrors.IsNotFound(err) && status.ErrStatus.Details != nil && status.ErrStatus.Details.Kind == "namespaces"
}

// failureReason classifies an error by its type.
func failureReason(err error) string {
	switch {
	case namespaceGoing(err):
		return reasonTerminating
	case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err), apierrors.IsNotFound(err):
		return reasonConflict
	case quotaExceeded(err):
		return reasonQuota
	case denied(err):
		return reasonDenied
	case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err):
		return reasonForbidden
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err), apierrors.IsRequestEntityTooLargeError(err):
		return reasonInvalid
	case apierrors.IsTooManyRequests(err):
		return reasonThrottled
	case errors.Is(err, context.DeadlineExceeded), apierrors.IsTimeout(err), apierrors.IsServerTimeout(err):
		return reasonTimeout
	case errors.Is(err, context.Canceled):
		return reasonStopped
	default:
		return reasonUnavailable
	}
}

// quotaExceeded reports whether a ResourceQuota refused a write. The API server says so
// only in the message.
func quotaExceeded(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), "exceeded quota")
}

// denied reports whether an admission policy or webhook refused a write. The API server
// says so only in the message, whatever status the policy or webhook chose.
func denied(err error) bool {
	status, ok := errors.AsType[*apierrors.StatusError](err)
	if !ok {
		return false
	}
	message := status.ErrStatus.Message
	return strings.Contains(message, "ValidatingAdmissionPolicy") || strings.Contains(message, "admission webhook")
}

// outcomeRefused is the outcome of a write whose content the API server refused.
const outcomeRefused = "refused"

// writeOutcome returns a write's label in the metric of writes.
func writeOutcome(err error) string {
	if err == nil {
		return "success"
	}
	switch failureReason(err) {
	case reasonConflict:
		return "conflict"
	case reasonTimeout:
		return "timeout"
	case reasonDenied, reasonForbidden, reasonInvalid, reasonQuota, reasonTerminating:
		return outcomeRefused
	default:
		return "error"
	}
}

// advice returns what may help against a failure.
func advice(reason string) string {
	switch reason {
	case reasonForbidden:
		return "; give the controller's service account the permissions of its chart"
	case reasonQuota:
		return "; raise the namespace's ResourceQuota for endpointslices"
	case reasonDenied:
		return "; exempt the controller's service account from the policy or webhook"
	case reasonInvalid:
		return "; please report this defect"
	case reasonUnavailable, reasonTimeout, reasonThrottled:
		return "; the controller retries"
	}
	return ""
}
