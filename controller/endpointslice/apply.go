package endpointslice

import (
	"context"
	"errors"
	"fmt"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"

	"github.com/external-workload/controller/pkg/plan"
)

const (
	// requestTimeout is the timeout of each write.
	requestTimeout = 10 * time.Second

	// parallelWrites is the maximum number of writes of one Service in flight.
	parallelWrites = 16
)

// apply makes the writes of a plan. A write waits for its dependencies and is skipped
// if one of them fails; all others continue, so a refused write delays only those that
// depend on it. When ctx is cancelled, no more writes start, and the next sync
// continues from the actual slices.
func (c *Controller) apply(ctx context.Context, state *serviceState, next plan.Plan) error {
	return execute(next.Writes, parallelWrites, func(w plan.Write) error { return c.write(ctx, state, w) })
}

// write makes one request. Cancelling ctx does not interrupt a request in flight, so
// that its outcome is known.
func (c *Controller) write(ctx context.Context, state *serviceState, w plan.Write) error {
	if ctx.Err() != nil {
		return fmt.Errorf("before a write: %w", context.Cause(ctx))
	}
	requestCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTimeout)
	defer cancel()
	err := c.request(requestCtx, state, w)
	state.refused.wrote(w.Slice.UID, err, c.config.Clock.Now())
	c.config.Observer.SliceWritten(string(w.Operation), writeOutcome(err))
	if err != nil {
		return err
	}
	if !w.Trigger.IsZero() {
		c.config.Observer.Published(c.config.Clock.Since(w.Trigger))
	}
	klog.FromContext(ctx).V(2).Info("Wrote EndpointSlice", "operation", w.Operation, "slice", klog.KObj(w.Slice), "endpoints", len(w.Slice.Endpoints))
	return nil
}

// request sends a write and records what the cache must contain before the next one.
func (c *Controller) request(ctx context.Context, state *serviceState, w plan.Write) error {
	client := c.config.Client.EndpointSlices(w.Slice.Namespace)
	// The cached field managers are not part of the object.
	sent := *w.Slice
	sent.ManagedFields = nil
	var stored *discoveryv1.EndpointSlice
	var err error
	switch w.Operation {
	case plan.Create:
		stored, err = client.Create(ctx, &sent, metav1.CreateOptions{FieldManager: c.config.FieldManager})
		if apierrors.IsAlreadyExists(err) {
			return errors.Join(err, c.exists(ctx, state, w.Slice))
		}
	case plan.Update:
		stored, err = client.Update(ctx, &sent, metav1.UpdateOptions{FieldManager: c.config.FieldManager})
	case plan.Delete:
		return c.delete(ctx, state, w.Slice)
	}
	if err != nil {
		return fmt.Errorf("%s EndpointSlice %s: %w", w.Operation, klog.KObj(w.Slice), err)
	}
	state.cache.wrote(stored, c.config.ManagedBy)
	if differs := state.altered.wrote(&sent, stored, c.config.Clock.Now()); differs != "" {
		c.logAltered(ctx, &w, differs)
	}
	return nil
}

// exists reads the object that already has the name of a new slice. Usually it is the
// slice itself: an earlier request took effect although its answer was lost, and the
// cache must contain it before the next write. If another writer has just removed the
// managed-by label, an informer will find the slice. Otherwise the name belongs to
// another object, and the next name is used.
func (c *Controller) exists(ctx context.Context, state *serviceState, wanted *discoveryv1.EndpointSlice) error {
	stored, err := c.config.Client.EndpointSlices(wanted.Namespace).Get(ctx, wanted.Name, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("get EndpointSlice %s: %w", klog.KObj(wanted), err)
	}
	manager := stored.Labels[discoveryv1.LabelManagedBy]
	owned := metav1.IsControlledBy(stored, &metav1.ObjectMeta{UID: wanted.OwnerReferences[0].UID})
	switch {
	case owned && manager == c.config.ManagedBy:
		state.cache.wrote(stored, c.config.ManagedBy)
	case owned && manager == "":
	default:
		state.namesTaken.Add(1)
	}
	return nil
}

// delete deletes exactly the slice from which the plan was made. A slice that is not
// found counts as a conflict: the next sync checks whether it is gone.
func (c *Controller) delete(ctx context.Context, state *serviceState, slice *discoveryv1.EndpointSlice) error {
	err := c.config.Client.EndpointSlices(slice.Namespace).Delete(ctx, slice.Name, metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: &slice.UID, ResourceVersion: &slice.ResourceVersion},
	})
	if err != nil {
		return fmt.Errorf("delete EndpointSlice %s: %w", klog.KObj(slice), err)
	}
	state.cache.removed(slice.UID)
	return nil
}
