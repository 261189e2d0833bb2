package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"golang.org/x/time/rate"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	discoveryclient "k8s.io/client-go/kubernetes/typed/discovery/v1"

	"github.com/external-workload/controller/pkg/adopt"
	"github.com/external-workload/controller/pkg/desired"
	"github.com/external-workload/controller/pkg/plan"
)

const (
	defaultRefreshRate = 5.0
	minRefreshRate     = 0.1
	maxRefreshRate     = 100.0

	// refreshTimeout is the timeout for the controller to announce an endpoint.
	refreshTimeout = 90 * time.Second
	// refreshPoll is the interval between two reads of a slice.
	refreshPoll = 50 * time.Millisecond
	// refreshReport is the interval between two lines of progress.
	refreshReport = 5 * time.Second
	// refreshTries is the number of attempts of a request that conflicts with writes of
	// the controller.
	refreshTries = 10
)

// refresh makes the running controller announce endpoints again. It writes only a mark
// into the annotation in which the controller records identities; the controller
// withdraws and publishes. If this program is interrupted, no endpoint stays withdrawn.
type refresh struct {
	client       discoveryclient.EndpointSlicesGetter
	fieldManager string
	limiter      *rate.Limiter
	out          io.Writer

	done, total int
	reported    time.Time
}

// refreshAll announces every ready endpoint once.
func refreshAll(ctx context.Context, o *options, clients *clients, perSecond float64, out io.Writer) error {
	subjects, err := allSubjects(ctx, o, clients)
	if err != nil {
		return err
	}
	r := &refresh{
		client: clients.ungated.DiscoveryV1(), fieldManager: o.fieldManager,
		limiter: rate.NewLimiter(rate.Limit(perSecond), 1), out: out, reported: time.Now(),
	}
	for i := range subjects {
		for _, slice := range subjects[i].Slices {
			r.total += len(readyWorkloads(slice))
		}
	}
	fmt.Fprintf(out, "Refreshing %d ready endpoints, at most %v per second\n", r.total, perSecond)
	for i := range subjects {
		if err := r.service(ctx, &subjects[i]); err != nil {
			fmt.Fprintf(out, "Stopped after %d of %d endpoints. The controller publishes the one that was under way.\n", r.done, r.total)
			return err
		}
	}
	fmt.Fprintf(out, "Refreshed %d endpoints\n", r.done)
	return nil
}

// readyWorkloads returns the workloads with ready endpoints in a slice.
func readyWorkloads(slice *discoveryv1.EndpointSlice) []string {
	var names []string
	for i := range slice.Endpoints {
		if e := &slice.Endpoints[i]; isReadyWorkload(e) {
			names = append(names, e.TargetRef.Name)
		}
	}
	return names
}

func isReadyWorkload(e *discoveryv1.Endpoint) bool {
	return e.TargetRef != nil && e.TargetRef.Kind == "ExternalWorkload" && (e.Conditions.Ready == nil || *e.Conditions.Ready)
}

// service announces the endpoints of a Service.
func (r *refresh) service(ctx context.Context, subject *adopt.Subject) error {
	identityOf := func(workload string) string {
		at := slices.IndexFunc(subject.Workloads, func(w *desired.Workload) bool { return w.Name == workload })
		if at < 0 {
			return ""
		}
		return subject.Workloads[at].Identity
	}
	for _, slice := range subject.Slices {
		for _, workload := range readyWorkloads(slice) {
			if err := r.limiter.Wait(ctx); err != nil {
				return fmt.Errorf("waiting for the next endpoint: %w", err)
			}
			if err := r.endpoint(ctx, slice, workload, identityOf); err != nil {
				return fmt.Errorf("refreshing workload %s in EndpointSlice %s/%s: %w", workload, slice.Namespace, slice.Name, err)
			}
			r.done++
			if time.Since(r.reported) >= refreshReport {
				r.reported = time.Now()
				fmt.Fprintf(r.out, "%d of %d endpoints, now Service %s\n", r.done, r.total, subject.Name)
			}
		}
	}
	return nil
}

// endpoint announces one endpoint, and returns when it is published again or deleted.
func (r *refresh) endpoint(ctx context.Context, slice *discoveryv1.EndpointSlice, workload string, identityOf func(string) string) error {
	marked, err := r.mark(ctx, slice, workload, identityOf)
	if err != nil || !marked {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, refreshTimeout, errors.New("it was not published again in time; check that the controller is running and leads"))
	defer cancel()
	for {
		now, at, err := r.find(ctx, slice, workload)
		if err != nil || at < 0 {
			return err
		}
		if !plan.RefreshRequested(now) && isReadyWorkload(&now.Endpoints[at]) {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(refreshPoll):
		}
	}
}

// mark requests the announcement of an endpoint. It reports whether there is anything
// to announce.
func (r *refresh) mark(ctx context.Context, slice *discoveryv1.EndpointSlice, workload string, identityOf func(string) string) (bool, error) {
	for try := 1; ; try++ {
		now, at, err := r.find(ctx, slice, workload)
		if err != nil || at < 0 || !isReadyWorkload(&now.Endpoints[at]) {
			return false, err
		}
		patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
			"resourceVersion": now.ResourceVersion, // nobody else's write may be lost
			"annotations":     map[string]string{plan.IdentitiesAnnotation: plan.RequestRefresh(now, at, identityOf)},
		}})
		if err != nil {
			return false, fmt.Errorf("making a patch: %w", err)
		}
		_, err = r.client.EndpointSlices(now.Namespace).Patch(ctx, now.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: r.fieldManager})
		if err == nil || !apierrors.IsConflict(err) || try == refreshTries {
			return err == nil, err
		}
	}
}

// find reads a slice and returns the position of a workload in it; -1 if there is none.
func (r *refresh) find(ctx context.Context, slice *discoveryv1.EndpointSlice, workload string) (*discoveryv1.EndpointSlice, int, error) {
	now, err := r.client.EndpointSlices(slice.Namespace).Get(ctx, slice.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, -1, nil
	case err != nil && ctx.Err() != nil:
		return nil, -1, context.Cause(ctx)
	case err != nil:
		return nil, -1, err
	}
	return now, slices.IndexFunc(now.Endpoints, func(e discoveryv1.Endpoint) bool {
		return e.TargetRef != nil && e.TargetRef.Name == workload
	}), nil
}
