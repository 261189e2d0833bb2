package endpointslice

import (
	"fmt"
	"maps"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/external-workload/controller/pkg/events"
	"github.com/external-workload/controller/pkg/metrics"
)

// notes is an Observer and an event recorder that keeps everything.
type notes struct {
	mu       sync.Mutex
	results  map[string]int
	failures map[string]int
	written  []string
	latency  []time.Duration
	services map[types.NamespacedName]metrics.ServiceObserved
	events   []string
	panics   int
	foreign  int
}

func newNotes() *notes {
	return &notes{
		results: map[string]int{}, failures: map[string]int{},
		services: map[types.NamespacedName]metrics.ServiceObserved{},
	}
}

func (n *notes) do(what func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	what()
}

func (n *notes) Reconciled(_, result string, _ time.Duration) { n.do(func() { n.results[result]++ }) }
func (n *notes) PanicRecovered(string)                        { n.do(func() { n.panics++ }) }
func (n *notes) Failed(_, reason string)                      { n.do(func() { n.failures[reason]++ }) }
func (n *notes) Published(latency time.Duration) {
	n.do(func() { n.latency = append(n.latency, latency) })
}
func (n *notes) SliceWritten(operation, outcome string) {
	if outcome != "success" {
		operation += " " + outcome
	}
	n.do(func() { n.written = append(n.written, operation) })
}
func (n *notes) ForeignWrite() { n.do(func() { n.foreign++ }) }
func (n *notes) ServiceObserved(key types.NamespacedName, observed metrics.ServiceObserved) {
	n.do(func() { n.services[key] = observed })
}
func (n *notes) ServiceForgotten(key types.NamespacedName) {
	n.do(func() { delete(n.services, key) })
}

// Record keeps an Event as "Kind name: Reason: note".
func (n *notes) Record(kind events.Kind, regarding, _ runtime.Object, note string, args ...any) {
	on := regarding.(*corev1.ObjectReference)
	n.do(func() {
		n.events = append(n.events, fmt.Sprintf("%s %s: %s: %s", on.Kind, on.Name, kind.Reason(), fmt.Sprintf(note, args...)))
	})
}

// takeEvents returns the Events since the last call.
func (n *notes) takeEvents() (events []string) {
	n.do(func() { events, n.events = n.events, nil })
	return events
}

// writes returns the writes since the last call, such as "update". A failed write has
// its outcome, such as "update conflict".
func (n *notes) writes() (writes []string) {
	n.do(func() { writes, n.written = n.written, nil })
	return writes
}

// syncs counts the syncs since the last call, by result.
func (n *notes) syncs() (results map[string]int) {
	n.do(func() { results, n.results = n.results, map[string]int{} })
	return results
}

// copyOf reads a map of the notes.
func copyOf[K comparable, V any](n *notes, values map[K]V) (copied map[K]V) {
	n.do(func() { copied = maps.Clone(values) })
	return copied
}
