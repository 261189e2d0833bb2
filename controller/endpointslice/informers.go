package endpointslice

import (
	"context"
	"fmt"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	coreinformers "k8s.io/client-go/informers/core/v1"
	discoveryinformers "k8s.io/client-go/informers/discovery/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/external-workload/controller/pkg/generated/clientset/versioned"
	workloadfactory "github.com/external-workload/controller/pkg/generated/informers/externalversions"
	workloadinformers "github.com/external-workload/controller/pkg/generated/informers/externalversions/workload/v1beta1"
	"github.com/external-workload/controller/pkg/plan"
)

// byService indexes slices by the key of the Service that they belong to.
const byService = "service"

// Informers are the informers of one namespace, or of all.
type Informers struct {
	Services  coreinformers.ServiceIndexInformer
	Workloads workloadinformers.TypedExternalWorkloadInformer
	// Slices watch the slices that may be ours: those with our managed-by label, those
	// without the label, and those with an empty one. Ours are in the latter two only
	// after another writer has changed the label.
	Slices [informersOfSlices]discoveryinformers.EndpointSliceIndexInformer

	namespace string
	start     []func(context.Context)
	wait      []func()
}

// The indexes of Informers.Slices, which are those of plan.Selectors.
const (
	withOurLabel = iota
	withoutLabel
	withEmptyLabel
	informersOfSlices
)

// informerOf returns the index of the informer that watches one of our slices.
func informerOf(slice *discoveryv1.EndpointSlice, managedBy string) int {
	manager, labelled := slice.Labels[discoveryv1.LabelManagedBy]
	switch {
	case !labelled:
		return withoutLabel
	case manager == "" && managedBy != "":
		return withEmptyLabel
	default:
		return withOurLabel
	}
}

// NewInformers returns informers for a namespace, or for all if it is empty. They cache
// only fields that this project reads.
func NewInformers(client kubernetes.Interface, workloads versioned.Interface, namespace, managedBy string) (*Informers, error) {
	i := &Informers{namespace: namespace}
	services := i.factory(client, namespace, trimService)
	factory := workloadfactory.NewSharedInformerFactoryWithOptions(workloads, 0,
		workloadfactory.WithNamespace(namespace), workloadfactory.WithTransform(newShares().trimWorkload))
	i.start, i.wait = append(i.start, factory.StartWithContext), append(i.wait, factory.Shutdown)

	i.Services = services.Core().V1().Services().TypedInformer()
	i.Workloads = factory.Workload().V1beta1().ExternalWorkloads()
	for at, selector := range plan.Selectors(managedBy) {
		slices := i.factory(client, namespace, newShares().trimSlice,
			informers.WithTweakListOptions(func(options *metav1.ListOptions) { options.LabelSelector = selector }))
		i.Slices[at] = slices.Discovery().V1().EndpointSlices().TypedInformer()
		if err := i.Slices[at].AddTypedIndexers(discoveryinformers.EndpointSliceIndexers{byService: indexByService}); err != nil {
			return nil, fmt.Errorf("indexing EndpointSlices by Service: %w", err)
		}
	}
	return i, nil
}

func (i *Informers) factory(client kubernetes.Interface, namespace string, trim cache.TransformFunc, options ...informers.SharedInformerOption) informers.SharedInformerFactory {
	options = append(options, informers.WithNamespace(namespace), informers.WithTransform(trim))
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, options...)
	i.start, i.wait = append(i.start, factory.StartWithContext), append(i.wait, factory.Shutdown)
	return factory
}

// Start runs the informers until ctx is cancelled.
func (i *Informers) Start(ctx context.Context) {
	for _, start := range i.start {
		start(ctx)
	}
}

// Wait returns when all informers have ended after their context was cancelled.
func (i *Informers) Wait() {
	for _, wait := range i.wait {
		wait()
	}
}

// indexByService returns the key of the Service that a slice belongs to.
func indexByService(slice *discoveryv1.EndpointSlice) ([]string, error) {
	if key, ours := plan.ServiceOf(slice); ours {
		return []string{key.String()}, nil
	}
	return nil, nil
}
