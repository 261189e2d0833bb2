package integration

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/external-workload/controller/pkg/events"
	"github.com/external-workload/controller/pkg/metrics"
)

// waitFor waits until a Service's slices have these lines, such as
// "IPv4 http:8080/TCP | a 192.0.2.1 | b 192.0.2.2 not ready".
func (s *site) waitFor(service string, want ...string) {
	s.t.Helper()
	s.eventually(fmt.Sprintf("%s is published as %q", service, want), func() (bool, string) {
		var lines []string
		for _, slice := range s.slicesOf(service) {
			lines = append(lines, lineOf(&slice))
		}
		slices.Sort(lines)
		return slices.Equal(lines, want), fmt.Sprintf("%q", lines)
	})
}

// lineOf describes a slice in a line.
func lineOf(slice *discoveryv1.EndpointSlice) string {
	line := string(slice.AddressType)
	for _, port := range slice.Ports {
		line += fmt.Sprintf(" %s:%d/%s", deref(port.Name), deref(port.Port), deref(port.Protocol))
		if port.AppProtocol != nil {
			line += "(" + *port.AppProtocol + ")"
		}
	}
	var endpoints []string
	for i := range slice.Endpoints {
		endpoints = append(endpoints, textOf(&slice.Endpoints[i]))
	}
	slices.Sort(endpoints)
	return line + strings.Join(endpoints, "")
}

func textOf(e *discoveryv1.Endpoint) string {
	text := " | " + e.TargetRef.Name + " " + strings.Join(e.Addresses, ",")
	if e.Hostname != nil {
		text += " as " + *e.Hostname
	}
	if !deref(e.Conditions.Ready) {
		text += " not ready"
	}
	if deref(e.Conditions.Ready) != deref(e.Conditions.Serving) {
		text += fmt.Sprintf(" serving=%t", deref(e.Conditions.Serving))
	}
	if deref(e.Conditions.Terminating) {
		text += " terminating"
	}
	if e.Zone != nil {
		text += " in " + *e.Zone
	}
	if e.Hints != nil {
		text += fmt.Sprint(" for ", e.Hints.ForZones)
	}
	return text
}

func deref[T any](pointer *T) (value T) {
	if pointer != nil {
		value = *pointer
	}
	return value
}

// publications is an Observer and an event recorder that keeps what tests wait for.
type publications struct {
	mu       sync.Mutex
	observed map[string]bool
	events   []string
	panics   int
	foreign  int
}

func (p *publications) do(what func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	what()
}

func (p *publications) Reconciled(string, string, time.Duration) {}
func (p *publications) PanicRecovered(string)                    { p.do(func() { p.panics++ }) }
func (p *publications) Failed(string, string)                    {}
func (p *publications) Published(time.Duration)                  {}
func (p *publications) SliceWritten(string, string)              {}
func (p *publications) ForeignWrite()                            { p.do(func() { p.foreign++ }) }
func (p *publications) ServiceForgotten(types.NamespacedName)    {}
func (p *publications) ServiceObserved(key types.NamespacedName, _ metrics.ServiceObserved) {
	p.do(func() { p.observed[key.Name] = true })
}
func (p *publications) Record(kind events.Kind, regarding, _ runtime.Object, _ string, _ ...any) {
	p.do(func() { p.events = append(p.events, regarding.(*corev1.ObjectReference).Name+" "+kind.Reason()) })
}

// hasSynced reports whether the controller has synced a Service.
func (p *publications) hasSynced(service string) (synced bool) {
	p.do(func() { synced = p.observed[service] })
	return synced
}
