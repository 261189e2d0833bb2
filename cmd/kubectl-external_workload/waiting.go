package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// waiting records the slices in which a workload is still ready.
type waiting struct {
	workload *v1beta1.ExternalWorkload
	// always are the Services that never withdraw it.
	always map[string]bool
	report func(line string)
	ready  map[string]bool
	said   map[string]bool
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
	return len(w.ready) > 0
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
	if !hasReady(slice, w.workload.Name) {
		return
	}
	service := slice.Labels[discoveryv1.LabelServiceName]
	if !w.always[service] {
		w.ready[slice.Name] = true
		return
	}
	if !w.said[slice.Name] {
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

// hasReady reports whether a slice has a ready endpoint of a workload.
func hasReady(slice *discoveryv1.EndpointSlice, workload string) bool {
	return slices.ContainsFunc(slice.Endpoints, func(e discoveryv1.Endpoint) bool {
		return isEndpointOf(&e, workload) && (e.Conditions.Ready == nil || *e.Conditions.Ready)
	})
}

func isEndpointOf(e *discoveryv1.Endpoint, workload string) bool {
	return e.TargetRef != nil && e.TargetRef.Kind == "ExternalWorkload" && e.TargetRef.Name == workload
}
