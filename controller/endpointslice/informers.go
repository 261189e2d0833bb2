package endpointslice

import (
	"context"
	"fmt"
	"strings"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	operator "k8s.io/apimachinery/pkg/selection"
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

// Informers watch one namespace, or all of them.
type Informers struct {
	Services  coreinformers.ServiceIndexInformer
	Workloads workloadinformers.TypedExternalWorkloadInformer
	// Slices are the slices that carry our managed-by label.
	Slices discoveryinformers.EndpointSliceIndexInformer
	// Unmanaged are the slices without any managed-by label. Ours are among
	// them while somebody has taken the label away.
	Unmanaged discoveryinformers.EndpointSliceIndexInformer

	namespace string
	start     []func(context.Context)
	wait      []func()
}

type sliceInformer = discoveryinformers.EndpointSliceIndexInformer

// NewInformers makes informers for a namespace, or for all if it is empty.
// They cache only what this project reads.
func NewInformers(client kubernetes.Interface, workloads versioned.Interface, namespace, managedBy string) (*Informers, error) {
	ours, err := selecting(discoveryv1.LabelManagedBy, operator.Equals, managedBy)
	if err != nil {
		return nil, err
	}
	unmanaged, err := selecting(discoveryv1.LabelManagedBy, operator.DoesNotExist)
	if err != nil {
		return nil, err
	}
	i := &Informers{namespace: namespace}
	services := i.factory(client, namespace, trimService)
	slices := i.factory(client, namespace, newShares().trimSlice, informers.WithTweakListOptions(ours))
	strays := i.factory(client, namespace, newShares().trimSlice, informers.WithTweakListOptions(unmanaged))
	factory := workloadfactory.NewSharedInformerFactoryWithOptions(workloads, 0,
		workloadfactory.WithNamespace(namespace), workloadfactory.WithTransform(newShares().trimWorkload))
	i.start, i.wait = append(i.start, factory.StartWithContext), append(i.wait, factory.Shutdown)

	i.Services = services.Core().V1().Services().TypedInformer()
	i.Workloads = factory.Workload().V1beta1().ExternalWorkloads()
	i.Slices = slices.Discovery().V1().EndpointSlices().TypedInformer()
	i.Unmanaged = strays.Discovery().V1().EndpointSlices().TypedInformer()
	for _, informer := range []sliceInformer{i.Slices, i.Unmanaged} {
		if err := informer.AddTypedIndexers(discoveryinformers.EndpointSliceIndexers{byService: indexByService}); err != nil {
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

// Start lets the informers run until ctx is cancelled.
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

// selecting makes list options that ask for a label.
func selecting(key string, relation operator.Operator, values ...string) (func(*metav1.ListOptions), error) {
	requirement, err := labels.NewRequirement(key, relation, values)
	if err != nil {
		return nil, fmt.Errorf("selecting EndpointSlices by label %s: %w", key, err)
	}
	text := labels.NewSelector().Add(*requirement).String()
	return func(options *metav1.ListOptions) { options.LabelSelector = text }, nil
}

// indexByService gives the key of the Service that a slice belongs to.
func indexByService(slice *discoveryv1.EndpointSlice) ([]string, error) {
	if key, ok := ServiceOf(slice); ok {
		return []string{key.String()}, nil
	}
	return nil, nil
}

// ServiceOf is the Service that a slice belongs to: the one that owns it, or
// if none does, the one that its label names. A managed slice that says neither
// belongs to the Service without name, which there never is, and so it goes. An
// unmanaged slice is ours only if a Service owns it and it is named as ours are.
func ServiceOf(slice *discoveryv1.EndpointSlice) (cache.ObjectName, bool) {
	owner := metav1.GetControllerOfNoCopy(slice)
	if owner != nil && owner.Kind == "Service" {
		_, managed := slice.Labels[discoveryv1.LabelManagedBy]
		return cache.NewObjectName(slice.Namespace, owner.Name), managed || strings.HasPrefix(slice.Name, plan.NamePrefix)
	}
	return cache.NewObjectName(slice.Namespace, slice.Labels[discoveryv1.LabelServiceName]), slice.Labels[discoveryv1.LabelManagedBy] != ""
}
