package readiness

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/external-workload/controller/controller/loop"
	"github.com/external-workload/controller/controller/readiness/declaration"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/failure"
)

// fieldManager owns the fields that this package writes.
const fieldManager = declaration.FieldManager

// writeTimeout is the timeout of one request.
const writeTimeout = 30 * time.Second

// Results of a sync, and outcomes of a write.
const (
	resultGone      = "gone"
	resultUnchanged = "unchanged"
	resultWritten   = "written"
	resultYielded   = "yielded"
	resultConflict  = "conflict"
	resultRefused   = "refused"

	outcomeSuccess  = "success"
	outcomeConflict = "conflict"
	outcomeError    = "error"
)

// sync brings the conditions of one workload to the desired state. It writes the whole
// list with the resourceVersion from which it was computed, because the list is atomic
// in some definitions: another writer's change in between causes a conflict and is not
// lost.
func (c *Controller) sync(ctx context.Context, key cache.ObjectName) (loop.Outcome, error) {
	workload := c.get(key)
	if workload == nil {
		return loop.Outcome{Result: resultGone}, nil
	}
	decided, conditions, differs := c.desired(workload)
	if !differs {
		return loop.Outcome{Result: resultUnchanged}, nil
	}
	corrections := decided.corrections(workload.Status.Conditions)
	yielded := c.yield(ctx, workload, corrections)
	if yielded > 0 {
		decided, corrections = decided.without(corrections, workload.Status.Conditions), nil
		if conditions, differs = c.merge(workload, decided); !differs {
			return loop.Outcome{Result: resultYielded, After: yielded}, nil
		}
	}
	changed := workload.DeepCopy()
	changed.Status.Conditions = conditions

	writeContext, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	_, err := c.config.Client.WorkloadV1beta1().ExternalWorkloads(key.Namespace).UpdateStatus(writeContext, changed, metav1.UpdateOptions{FieldManager: fieldManager})
	if err != nil {
		return c.failed(ctx, workload, err)
	}
	c.config.Observer.StatusWritten(outcomeSuccess)
	c.refused.forget(key)
	klog.FromContext(ctx).V(2).Info("Wrote the conditions of a workload")
	c.noteWritten(workload, corrections)
	c.reportChanges(workload, decided)
	return loop.Outcome{Result: resultWritten, After: yielded}, nil
}

// failed converts the failure of a write into the sync's outcome.
func (c *Controller) failed(ctx context.Context, workload *v1beta1.ExternalWorkload, err error) (loop.Outcome, error) {
	wrapped := fmt.Errorf("update status of workload %s: %w", cache.MetaObjectToName(workload), err)
	switch {
	case apierrors.IsConflict(err):
		c.config.Observer.StatusWritten(outcomeConflict)
		c.config.Observer.Failed(Name, failure.Conflict)
		return loop.Outcome{Result: resultConflict}, wrapped
	case apierrors.IsNotFound(err):
		return loop.Outcome{Result: resultGone}, nil
	case apierrors.IsInvalid(err):
		c.config.Observer.StatusWritten(outcomeError)
		return c.reportRefused(ctx, workload, err), nil
	default:
		c.config.Observer.StatusWritten(outcomeError)
		c.config.Observer.Failed(Name, failure.Reason(err))
		return loop.Outcome{}, wrapped
	}
}
