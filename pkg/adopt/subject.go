package adopt

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/desired"
)

// Subject is a Service with all objects that affect its slices.
type Subject struct {
	Name types.NamespacedName
	// Service is nil if it does not exist any more and only slices are left.
	Service *corev1.Service
	// Workloads are those that the Service selects, sorted by name.
	Workloads []*desired.Workload
	// Slices are those that are ours and belong to the Service.
	Slices []*discoveryv1.EndpointSlice
}

// Group returns a Subject for each Service, sorted by namespace and name. It omits
// Services that select no workload and have no slices. All given slices must be managed
// by this controller; each is part of the Subject of the Service that it belongs to.
func Group(services []corev1.Service, workloads []v1beta1.ExternalWorkload, owned map[types.NamespacedName][]*discoveryv1.EndpointSlice, now time.Time) []Subject {
	byName := map[types.NamespacedName]*Subject{}
	for name, found := range owned {
		byName[name] = &Subject{Name: name, Slices: found}
	}
	byNamespace := digests(workloads, now)
	for i := range services {
		service := &services[i]
		name := types.NamespacedName{Namespace: service.Namespace, Name: service.Name}
		selected := selectedBy(service, byNamespace[service.Namespace])
		subject := byName[name]
		if subject == nil && len(selected) == 0 {
			continue
		}
		if subject == nil {
			subject = &Subject{Name: name}
			byName[name] = subject
		}
		subject.Service, subject.Workloads = service, selected
	}
	all := make([]Subject, 0, len(byName))
	for _, name := range slices.SortedFunc(maps.Keys(byName), compareNames) {
		subject := byName[name]
		slices.SortFunc(subject.Slices, func(a, b *discoveryv1.EndpointSlice) int { return strings.Compare(a.Name, b.Name) })
		all = append(all, *subject)
	}
	return all
}

// labelled is a workload with its labels.
type labelled struct {
	digest *desired.Workload
	labels labels.Set
}

// digests computes the Workloads by namespace, sorted by name.
func digests(workloads []v1beta1.ExternalWorkload, now time.Time) map[string][]labelled {
	all := map[string][]labelled{}
	for i := range workloads {
		w := &workloads[i]
		digest := desired.NewWorkload(w, nil, desired.Sighting{At: now, Initial: true})
		all[w.Namespace] = append(all[w.Namespace], labelled{digest: digest, labels: w.Labels})
	}
	for _, list := range all {
		slices.SortFunc(list, func(a, b labelled) int { return strings.Compare(a.digest.Name, b.digest.Name) })
	}
	return all
}

func selectedBy(service *corev1.Service, candidates []labelled) []*desired.Workload {
	if len(service.Spec.Selector) == 0 {
		return nil
	}
	var selected []*desired.Workload
	selector := labels.SelectorFromSet(service.Spec.Selector)
	for _, candidate := range candidates {
		if selector.Matches(candidate.labels) {
			selected = append(selected, candidate.digest)
		}
	}
	return selected
}

func compareNames(a, b types.NamespacedName) int {
	return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
}
