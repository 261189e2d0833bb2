package explain

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/desired"
	"github.com/external-workload/controller/pkg/plan"
)

// Objects are the objects of one namespace.
type Objects struct {
	Services  []*corev1.Service
	Workloads []*v1beta1.ExternalWorkload
	Slices    []*discoveryv1.EndpointSlice
}

// Options are the settings of the controller, as far as they are known.
type Options struct {
	desired.Options
	// MaxEndpoints is the maximum number of endpoints per EndpointSlice.
	MaxEndpoints int
	// OnlyManifests is true if there are no slices, because the objects are not applied
	// yet.
	OnlyManifests bool
}

// Namespace explains the objects of one namespace. It is not safe for concurrent use.
type Namespace struct {
	name     string
	options  Options
	services []*corev1.Service
	objects  map[string]*v1beta1.ExternalWorkload
	digests  []*desired.Workload
	slices   map[string][]*discoveryv1.EndpointSlice
	foreign  map[string][]*discoveryv1.EndpointSlice
	views    map[string]*view

	contradictions []string
}

// view is the desired and the published state of one Service.
type view struct {
	service  *corev1.Service
	selected map[string]*desired.Workload
	state    desired.State
	next     plan.Plan
	slices   []*discoveryv1.EndpointSlice
}

// New returns a Namespace with these objects, which must not be changed afterwards. It
// ignores objects of other namespaces.
func New(name string, objects Objects, options Options) *Namespace {
	n := &Namespace{
		name: name, options: options,
		objects: map[string]*v1beta1.ExternalWorkload{},
		slices:  map[string][]*discoveryv1.EndpointSlice{},
		foreign: map[string][]*discoveryv1.EndpointSlice{},
		views:   map[string]*view{},
	}
	for _, service := range objects.Services {
		if service.Namespace == name {
			n.services = append(n.services, service)
		}
	}
	slices.SortFunc(n.services, func(a, b *corev1.Service) int { return strings.Compare(a.Name, b.Name) })
	for _, w := range objects.Workloads {
		if w.Namespace == name {
			n.objects[w.Name] = w
		}
	}
	for _, key := range slices.Sorted(maps.Keys(n.objects)) {
		n.digests = append(n.digests, desired.NewWorkload(n.objects[key], nil, desired.Sighting{At: options.Now, Initial: true}))
	}
	for _, slice := range objects.Slices {
		n.addSlice(slice)
	}
	n.contradictions = n.findContradictions()
	return n
}

// addSlice adds a slice to its Service, as managed by this controller or by another.
func (n *Namespace) addSlice(slice *discoveryv1.EndpointSlice) {
	service := slice.Labels[discoveryv1.LabelServiceName]
	if slice.Namespace != n.name || service == "" {
		return
	}
	if slice.Labels[discoveryv1.LabelManagedBy] == n.options.ManagedBy {
		n.slices[service] = append(n.slices[service], slice)
		return
	}
	n.foreign[service] = append(n.foreign[service], slice)
}

// Names lists the workloads of the namespace.
func (n *Namespace) Names() []string { return slices.Sorted(maps.Keys(n.objects)) }

// ServiceNames lists the Services of the namespace.
func (n *Namespace) ServiceNames() []string {
	var names []string
	for _, service := range n.services {
		names = append(names, service.Name)
	}
	return names
}

// viewOf computes the desired state and the next step of a Service, once.
func (n *Namespace) viewOf(service *corev1.Service) *view {
	if known := n.views[service.Name]; known != nil {
		return known
	}
	v := &view{service: service, selected: map[string]*desired.Workload{}, slices: n.slices[service.Name]}
	slices.SortFunc(v.slices, func(a, b *discoveryv1.EndpointSlice) int {
		return cmp.Or(strings.Compare(string(a.AddressType), string(b.AddressType)), strings.Compare(a.Name, b.Name))
	})
	var selected []*desired.Workload
	if len(service.Spec.Selector) > 0 {
		selector := labels.SelectorFromSet(service.Spec.Selector)
		for _, digest := range n.digests {
			if selector.Matches(labels.Set(n.objects[digest.Name].Labels)) {
				selected = append(selected, digest)
				v.selected[digest.Name] = digest
			}
		}
	}
	v.state.Compute(service, selected, n.options.Options)
	if !n.options.OnlyManifests {
		v.next = plan.Compute(&v.state, v.slices, plan.Options{MaxEndpoints: n.options.MaxEndpoints})
	}
	n.views[service.Name] = v
	return v
}

// service returns the Service of a name; nil if there is none.
func (n *Namespace) service(name string) *corev1.Service {
	at, found := slices.BinarySearchFunc(n.services, name, func(s *corev1.Service, name string) int { return strings.Compare(s.Name, name) })
	if !found {
		return nil
	}
	return n.services[at]
}
