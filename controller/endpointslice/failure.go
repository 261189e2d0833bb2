package endpointslice

import (
	"context"
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// The reasons for which a write fails, as metrics and Events show them.
const (
	reasonConflict    = "Conflict"
	reasonForbidden   = "Forbidden"
	reasonInvalid     = "Invalid"
	reasonStopped     = "Stopped"
	reasonTerminating = "NamespaceTerminating"
	reasonThrottled   = "Throttled"
	reasonTimeout     = "Timeout"
	reasonUnavailable = "Unavailable"
)

// failureReason puts an error into one of a few classes, by its type.
func failureReason(err error) string {
	switch {
	case namespaceGoing(err):
		return reasonTerminating
	case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err), apierrors.IsNotFound(err):
		return reasonConflict
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

// writeOutcome is a write's label in the metric of writes.
func writeOutcome(err error) string {
	if err == nil {
		return "success"
	}
	switch failureReason(err) {
	case reasonConflict:
		return "conflict"
	case reasonTimeout:
		return "timeout"
	case reasonForbidden, reasonInvalid, reasonTerminating:
		return "refused"
	default:
		return "error"
	}
}

// advice says to a human what may help against a failure.
func advice(reason string) string {
	switch reason {
	case reasonForbidden:
		return "; give the controller's service account the permissions of its chart"
	case reasonInvalid:
		return "; please report this defect"
	case reasonUnavailable, reasonTimeout, reasonThrottled:
		return "; it is tried again by itself"
	}
	return ""
}
