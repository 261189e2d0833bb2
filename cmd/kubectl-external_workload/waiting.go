package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// workloadKind is the kind of workloads, in references and messages.
const workloadKind = "ExternalWorkload"

// waiting records the slices in which a workload is still ready.
type waiting struct {
	workload *v1beta1.ExternalWorkload
	// always are the Services that never withdraw it.
	always map[string]bool
	report func(line string)
	ready  map[string]bool
	said   map[string]bool
	// written are the last writes of the slices that may have had it at the first look, and
	// named is true if one of them still has it, not ready. waited is true if it was ready
	// in another one then.
	written       []time.Time
	named, waited bool
}

func newWaiting(workload *v1beta1.ExternalWorkload, always map[string]bool, report func(string)) *waiting {
	return &waiting{workload: workload, always: always, report: report, said: map[string]bool{}}
}

// listed sets all slices. It returns false when there is nothing left to wait for.
func (w *waiting) listed(all []*discoveryv1.EndpointSlice) bool {
	w.ready = map[string]bool{}
	for _, slice := range all {
		w.see(slice)
	}
	w.say()
	w.waited = w.waited || len(w.ready) > 0
	return len(w.ready) > 0
}

// withdrawnSince returns the last time at which a slice was written that may have had
// the workload ready before; zero if that is not known. A slice without the workload may
// have had it until its last write, and one that is gone until just now, so at least one
// slice must still have it.
func (w *waiting) withdrawnSince() time.Time {
	if w.waited || !w.named {
		return time.Time{}
	}
	last := w.written[0]
	for _, at := range w.written[1:] {
		last = laterKnown(last, at)
	}
	return last
}

// changed updates one slice.
func (w *waiting) changed(event watch.EventType, slice *discoveryv1.EndpointSlice) bool {
	delete(w.ready, slice.Name)
	if event != watch.Deleted {
		w.see(slice)
	}
	w.say()
	return len(w.ready) > 0
}

func (w *waiting) see(slice *discoveryv1.EndpointSlice) {
	service := slice.Labels[discoveryv1.LabelServiceName]
	ready := hasReady(slice, w.workload.Name)
	switch {
	case !w.always[service] && ready:
		w.ready[slice.Name] = true
	case !w.always[service] && mayHaveHad(slice):
		w.named = w.named || hasEndpoint(slice, w.workload.Name)
		w.written = append(w.written, lastWrite(slice))
	case ready && !w.said[slice.Name]:
		w.said[slice.Name] = true
		w.report(fmt.Sprintf("slice %s keeps it: Service %s publishes what is not ready (publishNotReadyAddresses)", slice.Name, service))
	}
}

// say prints each slice that is waited for once.
func (w *waiting) say() {
	for _, name := range slices.Sorted(maps.Keys(w.ready)) {
		if !w.said[name] {
			w.said[name] = true
			w.report(fmt.Sprintf("waiting: slice %s has it ready", name))
		}
	}
}

func (w *waiting) names() string { return strings.Join(slices.Sorted(maps.Keys(w.ready)), ", ") }

// mayHaveHad reports whether a slice may have had a workload before: it has endpoints of
// workloads, or none at all.
func mayHaveHad(slice *discoveryv1.EndpointSlice) bool {
	return len(slice.Endpoints) == 0 || slices.ContainsFunc(slice.Endpoints, func(e discoveryv1.Endpoint) bool {
		return e.TargetRef != nil && e.TargetRef.Kind == workloadKind
	})
}

// hasEndpoint reports whether a slice has an endpoint of a workload.
func hasEndpoint(slice *discoveryv1.EndpointSlice, workload string) bool {
	return slices.ContainsFunc(slice.Endpoints, func(e discoveryv1.Endpoint) bool { return isEndpointOf(&e, workload) })
}

// hasReady reports whether a slice has a ready endpoint of a workload.
func hasReady(slice *discoveryv1.EndpointSlice, workload string) bool {
	return slices.ContainsFunc(slice.Endpoints, func(e discoveryv1.Endpoint) bool {
		return isEndpointOf(&e, workload) && (e.Conditions.Ready == nil || *e.Conditions.Ready)
	})
}

func isEndpointOf(e *discoveryv1.Endpoint, workload string) bool {
	return e.TargetRef != nil && e.TargetRef.Kind == workloadKind && e.TargetRef.Name == workload
}
