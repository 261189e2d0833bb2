// Package failure classifies errors of the API server, by their type, for metrics, Events
// and retries.
package failure

import (
	"context"
	"errors"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// The reasons of failures. They are labels of metrics.
const (
	Conflict             = "Conflict"
	Denied               = "Denied"
	Forbidden            = "Forbidden"
	Invalid              = "Invalid"
	QuotaExceeded        = "QuotaExceeded"
	Stopped              = "Stopped"
	NamespaceTerminating = "NamespaceTerminating"
	Throttled            = "Throttled"
	Timeout              = "Timeout"
	Unavailable          = "Unavailable"
)

// namespaceGoing reports whether a write failed because its namespace is being deleted
// or does not exist.
func namespaceGoing(err error) bool {
	if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return true
	}
	status, ok := errors.AsType[*apierrors.StatusError](err)
	return ok && apierrors.IsNotFound(err) && status.ErrStatus.Details != nil && status.ErrStatus.Details.Kind == "namespaces"
}

// Reason returns the reason of an error that is not nil.
func Reason(err error) string {
	switch {
	case namespaceGoing(err):
		return NamespaceTerminating
	case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err), apierrors.IsNotFound(err):
		return Conflict
	case quotaExceeded(err):
		return QuotaExceeded
	case denied(err):
		return Denied
	case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err):
		return Forbidden
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err), apierrors.IsRequestEntityTooLargeError(err):
		return Invalid
	case apierrors.IsTooManyRequests(err):
		return Throttled
	case errors.Is(err, context.DeadlineExceeded), apierrors.IsTimeout(err), apierrors.IsServerTimeout(err):
		return Timeout
	case errors.Is(err, context.Canceled):
		return Stopped
	default:
		return Unavailable
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
