package endpointslice

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/desired"
)

// membership maps workloads to the Services that select them, and Services to the
// workloads that they select. Every event updates it, so an event costs only what it
// affects, whatever the number of Services and workloads. It is safe for concurrent
// use.
//
// Services with equal selectors share one selection. Each selection is in the posting
// list of one of the labels that it requires, the one with the shortest list; a
// workload searches the lists of its own labels. Conversely, a new selection searches
// the workloads that have the rarest of its labels.
type membership struct {
	mu         sync.RWMutex
	namespaces map[string]*namespace
}

// namespace is the membership within one namespace.
type namespace struct {
	services   map[string]*service
	workloads  map[string]*workload
	selections map[string]*selection
	// selecting has the selections by the label under which they are found.
	selecting map[label]map[*selection]struct{}
	// labelled has the workloads by label.
	labelled map[label]map[*workload]struct{}
}

// label is one label or one requirement of a selector.
type label struct{ key, value string }

// service is a Service and, if it has one, its selection.
type service struct {
	object    *corev1.Service
	selection *selection
	// settledAt is when endpoints of the Service may first be published.
	settledAt time.Time
}

// selection is a selector, its Services and the workloads that it selects.
type selection struct {
	selector map[string]string
	postedAt label
	// services and members are sorted by name.
	services []cache.ObjectName
	members  []*workload
}

// workload is an ExternalWorkload and the selections that select it.
type workload struct {
	digest     *desired.Workload
	labels     map[string]string
	selections []*selection
}

func newMembership() *membership {
	return &membership{namespaces: map[string]*namespace{}}
}

func (m *membership) namespace(name string) *namespace {
	n := m.namespaces[name]
	if n == nil {
		n = &namespace{
			services:   map[string]*service{},
			workloads:  map[string]*workload{},
			selections: map[string]*selection{},
			selecting:  map[label]map[*selection]struct{}{},
			labelled:   map[label]map[*workload]struct{}{},
		}
		m.namespaces[name] = n
	}
	return n
}

// forgetIfEmpty removes a namespace without content.
func (m *membership) forgetIfEmpty(name string, n *namespace) {
	if len(n.services) == 0 && len(n.workloads) == 0 {
		delete(m.namespaces, name)
	}
}

// setService adds or updates a Service.
func (m *membership) setService(object *corev1.Service, seen desired.Sighting) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.namespace(object.Namespace)
	s := n.services[object.Name]
	if s == nil {
		s = &service{}
		n.services[object.Name] = s
	}
	if s.object == nil || s.object.UID != object.UID {
		s.settledAt = desired.ServiceSettledAt(object, seen)
	}
	s.object = object
	if s.selection != nil && maps.Equal(s.selection.selector, object.Spec.Selector) {
		return
	}
	n.unselect(s)
	n.choose(s)
}

// deleteService removes a Service.
func (m *membership) deleteService(key cache.ObjectName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.namespace(key.Namespace)
	if s := n.services[key.Name]; s != nil {
		n.unselect(s)
		delete(n.services, key.Name)
	}
	m.forgetIfEmpty(key.Namespace, n)
}

// effect describes what an event of a workload changes.
type effect struct {
	workload *desired.Workload
	// differs is true if a property that affects publishing has changed.
	differs bool
	// changed are the Services that publish the workload before and after its change.
	changed []cache.ObjectName
	// moved are the Services that started or stopped selecting the workload.
	moved []cache.ObjectName
}

// setWorkload adds or updates an ExternalWorkload.
func (m *membership) setWorkload(object *v1beta1.ExternalWorkload, seen desired.Sighting) effect {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.namespace(object.Namespace)
	w := n.workloads[object.Name]
	if w == nil {
		w = &workload{}
		n.workloads[object.Name] = w
	}
	before := w.digest
	w.digest = desired.NewWorkload(object, before, seen)
	e := effect{workload: w.digest, differs: before != w.digest}
	left := w.selections
	if before != nil && maps.Equal(w.labels, object.Labels) {
		w.labels = object.Labels
	} else {
		n.relabel(w, object.Labels)
		e.moved = servicesOf(difference(left, w.selections))
		left = common(left, w.selections)
	}
	if before != w.digest {
		e.changed = servicesOf(left)
	}
	return e
}

// deleteWorkload removes an ExternalWorkload and returns the Services that selected it.
func (m *membership) deleteWorkload(key cache.ObjectName) []cache.ObjectName {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.namespace(key.Namespace)
	defer m.forgetIfEmpty(key.Namespace, n)
	w := n.workloads[key.Name]
	if w == nil {
		return nil
	}
	left := w.selections
	n.relabel(w, nil)
	delete(n.workloads, key.Name)
	return servicesOf(left)
}

// services returns all Services.
func (m *membership) services() []cache.ObjectName {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var keys []cache.ObjectName
	for name, n := range m.namespaces {
		for service := range n.services {
			keys = append(keys, cache.NewObjectName(name, service))
		}
	}
	return keys
}

// gather returns a Service, or nil, the time at which it has settled, and the workloads
// that it selects, sorted by name and appended to buffer.
func (m *membership) gather(key cache.ObjectName, buffer []*desired.Workload) (object *corev1.Service, settledAt time.Time, workloads []*desired.Workload) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	n := m.namespaces[key.Namespace]
	if n == nil || n.services[key.Name] == nil {
		return nil, time.Time{}, buffer
	}
	s := n.services[key.Name]
	if s.selection == nil {
		return s.object, s.settledAt, buffer
	}
	for _, w := range s.selection.members {
		buffer = append(buffer, w.digest)
	}
	return s.object, s.settledAt, buffer
}

// servicesOf returns the Services that have one of the selections, sorted. Each Service
// has one selection, so there are no duplicates.
func servicesOf(selections []*selection) []cache.ObjectName {
	var keys []cache.ObjectName
	for _, s := range selections {
		keys = append(keys, s.services...)
	}
	slices.SortFunc(keys, byName)
	return keys
}

// byName orders objects of one namespace.
func byName(a, b cache.ObjectName) int { return strings.Compare(a.Name, b.Name) }

// common returns the elements of both lists.
func common(a, b []*selection) []*selection {
	return slices.DeleteFunc(slices.Clone(a), func(s *selection) bool { return !slices.Contains(b, s) })
}

// without returns the elements of a that b does not have.
func without(a, b []*selection) []*selection {
	return slices.DeleteFunc(slices.Clone(a), func(s *selection) bool { return slices.Contains(b, s) })
}

// difference returns the elements of exactly one of the lists.
func difference(a, b []*selection) []*selection {
	return append(without(a, b), without(b, a)...)
}
