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

// membership knows which Services select a workload and which workloads a
// Service selects. It is kept up to date with every event, so that an event
// costs what it touches, whatever the number of Services and workloads. It is
// safe for concurrent use.
//
// Services with equal selectors share one selection. Each selection stands in
// the posting list of one of the labels that it asks for, the one with the
// shortest list; a workload looks through the lists of its own labels. The
// other way round, a new selection goes through the workloads that have the
// rarest of its labels.
type membership struct {
	mu         sync.RWMutex
	namespaces map[string]*namespace
}

// namespace is the membership within one namespace.
type namespace struct {
	services   map[string]*service
	workloads  map[string]*workload
	selections map[string]*selection
	// selecting lists the selections that are found by a label.
	selecting map[label]map[*selection]struct{}
	// labelled lists the workloads that have a label.
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

// selection is a selector, the Services that have it and what it selects.
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

// forgetIfEmpty frees a namespace in which nothing is left.
func (m *membership) forgetIfEmpty(name string, n *namespace) {
	if len(n.services) == 0 && len(n.workloads) == 0 {
		delete(m.namespaces, name)
	}
}

// setService takes in a new or changed Service.
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

// deleteService forgets a Service.
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

// effect is what an event of a workload means.
type effect struct {
	workload *desired.Workload
	// differs is true if what counts of the workload is not as it was.
	differs bool
	// changed are the Services that publish the workload and see it change.
	changed []cache.ObjectName
	// moved are the Services that began or ceased to select the workload.
	moved []cache.ObjectName
}

// setWorkload takes in a new or changed ExternalWorkload.
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

// deleteWorkload forgets an ExternalWorkload and returns the Services that selected it.
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

// services lists all Services.
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

// gather returns a Service, or nil, when it has settled, and the workloads that
// it selects, sorted by name and appended to buffer.
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

// servicesOf lists the Services that have one of the selections, sorted. A
// Service has one selection, so none comes up twice.
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

// common lists what is in both lists.
func common(a, b []*selection) []*selection {
	return slices.DeleteFunc(slices.Clone(a), func(s *selection) bool { return !slices.Contains(b, s) })
}

// without lists what is in a but not in b.
func without(a, b []*selection) []*selection {
	return slices.DeleteFunc(slices.Clone(a), func(s *selection) bool { return slices.Contains(b, s) })
}

// difference lists what is in only one of the lists.
func difference(a, b []*selection) []*selection {
	return append(without(a, b), without(b, a)...)
}
