package faults_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/external-workload/controller/test/faults"
)

// tamperer is the field manager of the foreign writes.
const tamperer = "tamperer"

// tamperings are foreign changes of a slice.
var tamperings = map[string]func(*discoveryv1.EndpointSlice){
	"drops an endpoint":        func(s *discoveryv1.EndpointSlice) { s.Endpoints = nil },
	"inverts an endpoint":      func(s *discoveryv1.EndpointSlice) { s.Endpoints[0].Conditions.Ready = ptr.To(false) },
	"adds a label":             func(s *discoveryv1.EndpointSlice) { s.Labels["tampered"] = "yes" },
	"removes managed-by":       func(s *discoveryv1.EndpointSlice) { delete(s.Labels, discoveryv1.LabelManagedBy) },
	"removes the Service name": func(s *discoveryv1.EndpointSlice) { delete(s.Labels, discoveryv1.LabelServiceName) },
	"removes the owner":        func(s *discoveryv1.EndpointSlice) { s.OwnerReferences = nil },
	"changes a port":           func(s *discoveryv1.EndpointSlice) { s.Ports[0].Port = ptr.To[int32](1) },
}

// Fault: a foreign write changes one field of a slice.
// Promise: the slice is repaired.
func TestTamperedOnce(t *testing.T) {
	w := newParallelWorld(t)
	w.seed(w.namespace, 1, 3)
	w.alone()
	w.converges(30 * time.Second)
	for name, tamper := range tamperings {
		t.Run(name, func(t *testing.T) {
			w := w.within(t)
			slice := w.slices(w.namespace)[0].DeepCopy()
			tamper(slice)
			if _, err := w.kube.DiscoveryV1().EndpointSlices(w.namespace).Update(t.Context(), slice, metav1.UpdateOptions{FieldManager: tamperer}); err != nil {
				t.Fatal(err)
			}
			t.Logf("repaired after %s", w.converges(30*time.Second))
		})
	}
	t.Run("deletes the slice", func(t *testing.T) {
		w := w.within(t)
		if err := w.kube.DiscoveryV1().EndpointSlices(w.namespace).Delete(t.Context(), w.slices(w.namespace)[0].Name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		t.Logf("repaired after %s", w.converges(30*time.Second))
	})
}

// Fault: another client continuously edits, relabels or deletes the slices of a Service.
// Promise: the slices are repaired at a bounded rate, are correct when it ends, and the
// client is reported once by name.
func TestTamperedAllTheTime(t *testing.T) {
	edit := func(w *world, slice *discoveryv1.EndpointSlice) error {
		slice.Labels["tampered"] = slice.ResourceVersion
		slice.Endpoints = nil
		return w.tamper(slice)
	}
	relabel := func(w *world, slice *discoveryv1.EndpointSlice) error {
		delete(slice.Labels, discoveryv1.LabelManagedBy)
		slice.Labels["tampered"] = slice.ResourceVersion
		return w.tamper(slice)
	}
	remove := func(w *world, slice *discoveryv1.EndpointSlice) error {
		return w.kube.DiscoveryV1().EndpointSlices(w.namespace).Delete(w.Context(), slice.Name, metav1.DeleteOptions{})
	}
	for name, tampers := range map[string][]func(*world, *discoveryv1.EndpointSlice) error{
		"edits":                       {edit},
		"relabels":                    {relabel},
		"deletes":                     {remove},
		"edits, relabels and deletes": {edit, edit, relabel, remove},
	} {
		t.Run(name, func(t *testing.T) {
			manager := tamperer
			if name == "deletes" {
				manager = "unknown" // a deletion has no field manager
			}
			w := newParallelWorld(t)
			w.seed(w.namespace, 1, 3)
			c := w.alone()
			w.converges(30 * time.Second)
			before, tampered, began := len(sliceWrites(c)), 0, time.Now()
			w.always(10*time.Second, "tampering", func() error {
				known := w.slices(w.namespace)
				if len(known) == 0 {
					return nil
				}
				err := tampers[tampered%len(tampers)](w, known[0].DeepCopy())
				switch {
				case err == nil:
					tampered++
				case apierrors.IsConflict(err), apierrors.IsNotFound(err):
					err = nil
				}
				return err
			})
			lasted := time.Since(began)
			writes := len(sliceWrites(c)) - before
			healed := w.converges(2 * time.Minute)
			t.Logf("%d foreign writes and %d repairs in %s; correct %s after the end", tampered, writes, lasted, healed)
			if most := mostRepairs(lasted); writes == 0 || writes > most {
				t.Errorf("%d repairs, want at least one and at most %d", writes, most)
			}
			w.expectReported(c, manager)
		})
	}
}

// tamper updates a slice as another field manager.
func (w *world) tamper(slice *discoveryv1.EndpointSlice) error {
	_, err := w.kube.DiscoveryV1().EndpointSlices(w.namespace).Update(w.Context(), slice, metav1.UpdateOptions{FieldManager: tamperer})
	return err
}

// mostRepairs returns the maximum number of repairs of a Service's slices during foreign
// writes that last for a time: some at once, then one in each interval.
func mostRepairs(lasted time.Duration) int {
	const (
		atOnce        = 20
		interval      = 5 * time.Second
		stepsOfRepair = 2
	)
	return stepsOfRepair * (atOnce + int(lasted/interval) + 1)
}

// expectReported fails the test unless the metric counts the foreign writes, and one line of
// the log and one Event name the field manager.
func (w *world) expectReported(c *faults.Controller, manager string) {
	w.Helper()
	const metric = "external_workload_foreign_writes_total"
	if counted, err := c.Metric(w.Context(), metric); err != nil || counted == 0 {
		w.Errorf("%s is %g, %v", metric, counted, err)
	}
	log, err := os.ReadFile(c.Log())
	if err != nil {
		w.Fatal(err)
	}
	lines := 0
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, "Another client writes or deletes the controller's EndpointSlices") {
			lines++
			if !strings.Contains(line, manager) {
				w.Errorf("the log does not name the field manager: %s", line)
			}
		}
	}
	if lines != 1 {
		w.Errorf("%d lines of the log report the foreign writes, want 1", lines)
	}
	w.eventually(30*time.Second, "one Event on the Service", func() bool {
		events, err := w.kube.EventsV1().Events(w.namespace).List(w.Context(), metav1.ListOptions{})
		if err != nil {
			w.Fatal(err)
		}
		telling := slices.DeleteFunc(events.Items, func(event eventsv1.Event) bool {
			return event.Reason != "ForeignWrites" || event.Regarding.Name != serviceName(0) || !strings.Contains(event.Note, manager)
		})
		return len(telling) == 1 && telling[0].Series == nil
	})
}

// within returns the same world for a subtest.
func (w *world) within(t *testing.T) *world {
	sub := *w
	sub.T = t
	return &sub
}
