package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/explain"
)

// drainedSince returns since when a workload has been drained, as far as its object
// says; zero if it does not. Someone may have ended the drain and begun another one
// before the controller looked: then the value of the annotation is later than the
// condition.
func drainedSince(w *v1beta1.ExternalWorkload) time.Time {
	if !w.Drained() {
		return time.Time{}
	}
	seen := explain.DrainedSince(w)
	if seen == nil {
		return time.Time{}
	}
	value := strings.TrimPrefix(w.Annotations[v1beta1.DrainAnnotation], v1beta1.MachineDrainPrefix)
	if set, err := time.Parse(time.RFC3339, value); err == nil && set.After(*seen) {
		return set
	}
	return *seen
}

// lastWrite returns when a slice was written last; zero if it does not say.
func lastWrite(slice *discoveryv1.EndpointSlice) time.Time {
	var last time.Time
	for i := range slice.ManagedFields {
		if at := slice.ManagedFields[i].Time; at != nil && at.After(last) {
			last = at.Time
		}
	}
	return last
}

// laterKnown returns the later of two times; zero if one of them is not known.
func laterKnown(a, b time.Time) time.Time {
	switch {
	case a.IsZero() || b.IsZero():
		return time.Time{}
	case a.After(b):
		return a
	}
	return b
}

// restOfGrace returns what is left of a grace period that began at a time in an object.
// All of it is left if the time or the API server's clock is not known, or if the time
// is in the future. Times in objects are cut to seconds, so it began up to a second later.
func restOfGrace(grace time.Duration, began, now time.Time) time.Duration {
	if began.IsZero() || now.IsZero() {
		return grace
	}
	return min(max(grace-now.Sub(began.Add(time.Second)), 0), grace)
}

// waitGrace waits for the rest of the grace period, so that open connections can end.
func (p *program) waitGrace(ctx context.Context, name string, grace, rest time.Duration) error {
	switch {
	case grace == 0:
		return nil
	case rest == 0:
		fmt.Fprintf(p.out, "externalworkload/%s: the grace period of %s is over\n", name, grace)
		return nil
	case rest < grace:
		fmt.Fprintf(p.out, "externalworkload/%s: waiting %s for open connections to end, the rest of %s\n", name, roundUp(rest), grace)
	default:
		fmt.Fprintf(p.out, "externalworkload/%s: waiting %s for open connections to end\n", name, grace)
	}
	select {
	case <-ctx.Done():
		return errors.New("interrupted; the machine stays drained")
	case <-time.After(rest):
		return nil
	}
}

// roundUp returns a duration in whole seconds.
func roundUp(d time.Duration) time.Duration {
	return (d + time.Second - 1).Truncate(time.Second)
}
