package endpointslice

import (
	"fmt"
	"time"

	"k8s.io/client-go/tools/cache"

	"github.com/external-workload/controller/controller/loop"
	"github.com/external-workload/controller/pkg/failure"
)

// terminatingRetry is when a Service of a namespace that is being deleted is synced again.
// The namespace may have been created again, and only this API server does not know yet.
const terminatingRetry = time.Minute

// failed converts the failure of a write into the sync's outcome. In a namespace that
// is being deleted nothing can be created, and nothing has to be.
func (c *Controller) failed(key cache.ObjectName, err error) (loop.Outcome, error) {
	reason := failure.Reason(err)
	if reason == failure.NamespaceTerminating {
		return loop.Outcome{Result: resultTerminating, After: terminatingRetry}, nil
	}
	c.config.Observer.Failed(Name, reason)
	outcome := loop.Outcome{Result: loop.ResultError}
	if reason == failure.Conflict {
		outcome.Result = resultConflict
	}
	return outcome, fmt.Errorf("publishing Service %s: %w", key, err)
}

// outcomeRefused is the outcome of a write whose content the API server refused.
const outcomeRefused = "refused"

// writeOutcome returns a write's label in the metric of writes.
func writeOutcome(err error) string {
	if err == nil {
		return "success"
	}
	switch failure.Reason(err) {
	case failure.Conflict:
		return "conflict"
	case failure.Timeout:
		return "timeout"
	case failure.Denied, failure.Forbidden, failure.Invalid, failure.QuotaExceeded, failure.NamespaceTerminating:
		return outcomeRefused
	default:
		return "error"
	}
}

// advice returns what may help against a failure.
func advice(reason string) string {
	switch reason {
	case failure.Forbidden:
		return "; give the controller's service account the permissions of its chart"
	case failure.QuotaExceeded:
		return "; raise the namespace's ResourceQuota for endpointslices"
	case failure.Denied:
		return "; exempt the controller's service account from the policy or webhook"
	case failure.Invalid:
		return "; please report this defect"
	case failure.Unavailable, failure.Timeout, failure.Throttled:
		return "; the controller retries"
	}
	return ""
}
