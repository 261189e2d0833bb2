package traefik

import (
	"encoding/json"
	"slices"
	"sync"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// machine is the state of one machine.
type machine struct {
	name, address  string
	ready, drained bool
}

// publisher publishes the machines of a Service in its slices. Each call gets all machines
// of the Service.
type publisher interface {
	// selects reports whether the Service has a selector.
	selects() bool
	publish(c *cluster, service string, machines ...machine)
}

// byController writes ExternalWorkloads, like a user.
type byController struct{}

func (byController) selects() bool { return true }

func (byController) publish(c *cluster, service string, machines ...machine) {
	c.Helper()
	for _, m := range machines {
		c.applyMachine(namespace, service, machinePort, m)
	}
}

// applyMachine writes the ExternalWorkload of a machine with the label app.
func (c *cluster) applyMachine(namespace, app string, port int32, m machine) {
	c.Helper()
	annotations := map[string]string{v1beta1.ReadyAnnotation: "False"}
	if m.ready {
		annotations[v1beta1.ReadyAnnotation] = "True"
	}
	if m.drained {
		annotations[v1beta1.DrainAnnotation] = "true"
	}
	// Server-side apply writes nothing if nothing changed.
	name := app + "-" + m.name
	patch, err := json.Marshal(map[string]any{
		"apiVersion": v1beta1.GroupVersion.String(), "kind": "ExternalWorkload",
		"metadata": map[string]any{"name": name, "labels": map[string]string{"app": app}, "annotations": annotations},
		"spec": v1beta1.ExternalWorkloadSpec{
			MeshTLS:     v1beta1.MeshTLS{Identity: m.name, ServerName: m.name},
			Ports:       []v1beta1.PortSpec{{Name: portName, Port: port}},
			WorkloadIPs: []v1beta1.WorkloadIP{{IP: m.address}},
		},
	})
	c.must(err)
	_, err = c.workloads.WorkloadV1beta1().ExternalWorkloads(namespace).Patch(c.Context(), name, types.ApplyPatchType, patch,
		metav1.PatchOptions{FieldManager: "user", Force: ptr.To(true)})
	c.must(err)
}

// byHand writes one slice in one write.
type byHand struct{}

func (byHand) selects() bool { return false }

func (byHand) publish(c *cluster, service string, machines ...machine) {
	c.Helper()
	slice := &discoveryv1.EndpointSlice{
		TypeMeta:    metav1.TypeMeta{APIVersion: discoveryv1.SchemeGroupVersion.String(), Kind: "EndpointSlice"},
		ObjectMeta:  metav1.ObjectMeta{Name: service, Labels: map[string]string{discoveryv1.LabelServiceName: service, discoveryv1.LabelManagedBy: "hand"}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: ptr.To(portName), Port: ptr.To[int32](machinePort)}},
	}
	for _, m := range machines {
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
			Addresses: []string{m.address},
			Conditions: discoveryv1.EndpointConditions{
				Ready: ptr.To(m.ready && !m.drained), Serving: &m.ready, Terminating: &m.drained,
			},
		})
	}
	body, err := json.Marshal(slice)
	c.must(err)
	_, err = c.kube.DiscoveryV1().EndpointSlices(namespace).Patch(c.Context(), service, types.ApplyPatchType, body,
		metav1.PatchOptions{FieldManager: "hand", Force: ptr.To(true)})
	c.must(err)
}

// history records the changes of a Service's slices with their times.
type history struct {
	mu     sync.Mutex
	slices map[string]*discoveryv1.EndpointSlice
	states []state
}

// state is the set of ready addresses from a time on.
type state struct {
	at    time.Time
	ready []string
}

// watchSlices records until the end of the test.
func (c *cluster) watchSlices(service string) *history {
	c.Helper()
	watched, err := c.kube.DiscoveryV1().EndpointSlices(namespace).Watch(c.Context(),
		metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + service})
	c.must(err)
	h := &history{slices: map[string]*discoveryv1.EndpointSlice{}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for event := range watched.ResultChan() {
			if slice, ok := event.Object.(*discoveryv1.EndpointSlice); ok {
				h.add(time.Now(), slice, event.Type == watch.Deleted)
			}
		}
	}()
	c.Cleanup(func() {
		watched.Stop()
		<-done
	})
	return h
}

func (h *history) add(at time.Time, slice *discoveryv1.EndpointSlice, deleted bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if deleted {
		delete(h.slices, slice.Name)
	} else {
		h.slices[slice.Name] = slice
	}
	var ready []string
	for _, s := range h.slices {
		for _, endpoint := range s.Endpoints {
			if ptr.Deref(endpoint.Conditions.Ready, true) {
				ready = append(ready, endpoint.Addresses...)
			}
		}
	}
	slices.Sort(ready)
	if len(h.states) > 0 && slices.Equal(ready, h.states[len(h.states)-1].ready) {
		return
	}
	h.states = append(h.states, state{at: at, ready: ready})
}

// became returns the first time after begin at which the address was ready or not ready, or
// zero if there is none.
func (h *history) became(ready bool, address string, begin time.Time) time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.states {
		if s.at.After(begin) && slices.Contains(s.ready, address) == ready {
			return s.at
		}
	}
	return time.Time{}
}
