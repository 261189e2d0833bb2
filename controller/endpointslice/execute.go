package endpointslice

import (
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/external-workload/controller/pkg/failure"
	"github.com/external-workload/controller/pkg/plan"
)

// errDependency marks a write that was skipped because a dependency failed.
var errDependency = errors.New("a write that this one waits for failed")

// execute makes writes in order, at most limit at a time, each once its dependencies
// have succeeded. It returns when all are done or skipped.
func execute(writes []plan.Write, limit int, write func(plan.Write) error) error {
	if len(writes) == 1 {
		return write(writes[0])
	}
	errs := make([]error, len(writes))
	finished := make([]chan struct{}, len(writes))
	var group errgroup.Group
	group.SetLimit(limit)
	for i := range writes {
		finished[i] = make(chan struct{})
		// A write waits only for earlier ones, so waiting writes cannot block all
		// slots.
		group.Go(func() error {
			defer close(finished[i])
			for _, earlier := range writes[i].After {
				<-finished[earlier]
				if errs[earlier] != nil {
					errs[i] = errDependency
					return nil
				}
			}
			errs[i] = write(writes[i])
			return nil
		})
	}
	_ = group.Wait()
	return joinFailures(errs)
}

// joinFailures combines the errors of several writes. It wraps the most serious one,
// which determines the reaction, and mentions one of each other kind.
func joinFailures(errs []error) error {
	var worst error
	byReason := map[string]error{}
	var reasons []string
	for _, err := range errs {
		if err == nil || errors.Is(err, errDependency) {
			continue
		}
		reason := failure.Reason(err)
		if byReason[reason] == nil {
			byReason[reason] = err
			reasons = append(reasons, reason)
		}
		if worst == nil || seriousness(reason) > seriousness(failure.Reason(worst)) {
			worst = err
		}
	}
	if len(byReason) < 2 {
		return worst
	}
	joined := worst
	for _, reason := range reasons {
		if reason != failure.Reason(worst) {
			joined = fmt.Errorf("%w; %s", joined, byReason[reason].Error())
		}
	}
	return joined
}

// seriousness orders the reasons of failures: those that need a human first, then
// temporary ones, then normal ones.
func seriousness(reason string) int {
	switch reason {
	case failure.NamespaceTerminating, failure.Stopped:
		return 0
	case failure.Conflict:
		return 1
	case failure.Throttled, failure.Timeout, failure.Unavailable:
		return 2
	default:
		return 3
	}
}
