package faults_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// tamperings are what somebody may do to a slice.
var tamperings = map[string]func(*discoveryv1.EndpointSlice){
	"drops an endpoint":        func(s *discoveryv1.EndpointSlice) { s.Endpoints = nil },
	"turns an endpoint round":  func(s *discoveryv1.EndpointSlice) { s.Endpoints[0].Conditions.Ready = ptr.To(false) },
	"adds a label":             func(s *discoveryv1.EndpointSlice) { s.Labels["tampered"] = "yes" },
	"takes the managed-by off": func(s *discoveryv1.EndpointSlice) { delete(s.Labels, discoveryv1.LabelManagedBy) },
	"takes the Service off":    func(s *discoveryv1.EndpointSlice) { delete(s.Labels, discoveryv1.LabelServiceName) },
	"takes the owner off":      func(s *discoveryv1.EndpointSlice) { s.OwnerReferences = nil },
	"changes a port":           func(s *discoveryv1.EndpointSlice) { s.Ports[0].Port = ptr.To[int32](1) },
}

// Fault: somebody changes one thing of a slice.
// Promise: it is repaired.
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
			if _, err := w.kube.DiscoveryV1().EndpointSlices(w.namespace).Update(t.Context(), slice, metav1.UpdateOptions{FieldManager: "tamperer"}); err != nil {
				t.Fatal(err)
			}
			t.Logf("repaired after %s", w.converges(30*time.Second))
		})
	}
	t.Run("deletes it", func(t *testing.T) {
		w := w.within(t)
		if err := w.kube.DiscoveryV1().EndpointSlices(w.namespace).Delete(t.Context(), w.slices(w.namespace)[0].Name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		t.Logf("repaired after %s", w.converges(30*time.Second))
	})
}

// Fault: somebody edits, relabels and deletes slices all the time.
// Promise: repaired at a bounded rate while it lasts, and right when it ends.
func TestTamperedAllTheTime(t *testing.T) {
	w := newParallelWorld(t)
	const services = 5
	w.seed(w.namespace, services, 3)
	c := w.alone()
	w.converges(30 * time.Second)
	before, tampered, began := len(c.Proxy.Writes()), 0, time.Now()
	draw := rand.New(rand.NewPCG(1, 1))
	slices := w.kube.DiscoveryV1().EndpointSlices(w.namespace)
	w.always(10*time.Second, "tampering", func() error {
		known := w.slices(w.namespace)
		if len(known) == 0 {
			return nil
		}
		slice := known[draw.IntN(len(known))].DeepCopy()
		var err error
		if draw.IntN(4) == 0 {
			err = slices.Delete(t.Context(), slice.Name, metav1.DeleteOptions{})
		} else {
			slice.Labels["tampered"] = fmt.Sprint(tampered)
			slice.Endpoints = nil
			_, err = slices.Update(t.Context(), slice, metav1.UpdateOptions{FieldManager: "tamperer"})
		}
		switch {
		case err == nil:
			tampered++
		case apierrors.IsConflict(err), apierrors.IsNotFound(err):
			err = nil
		}
		return err
	})
	lasted := time.Since(began)
	writes := 0
	for _, write := range c.Proxy.Writes()[before:] {
		if write.Resource == "endpointslices" && write.Succeeded() {
			writes++
		}
	}
	healed := w.converges(2 * time.Minute)
	t.Logf("%d tamperings and %d repairs in %s; right %s after the end", tampered, writes, lasted, healed)
	if writes == 0 {
		t.Error("nothing was repaired")
	}
	// A repair may take two safe steps; beyond that it would be a fight.
	if writes > 2*tampered {
		t.Errorf("%d writes for %d tamperings", writes, tampered)
	}
}

// within is the same world for a subtest.
func (w *world) within(t *testing.T) *world {
	sub := *w
	sub.T = t
	return &sub
}
