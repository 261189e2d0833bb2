package main

import (
	"context"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// managedBy is the controller's default for the label of its slices.
const managedBy = "linkerd-external-workloads-controller"

type changeKind string

const (
	created changeKind = "created"
	updated changeKind = "updated"
	deleted changeKind = "deleted"
)

// A change is one event of one slice.
type change struct {
	at    time.Time
	kind  changeKind
	slice *discoveryv1.EndpointSlice
}

// watchSlices returns a channel of every change of the controller's slices, in order, until
// ctx ends or stop is called.
func watchSlices(ctx context.Context, config *rest.Config) (changes <-chan change, stop func() error, err error) {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithTweakListOptions(
		func(options *metav1.ListOptions) {
			options.LabelSelector = discoveryv1.LabelManagedBy + "=" + managedBy
		}))
	found := make(chan change)
	send := func(kind changeKind, object any) {
		if tombstone, ok := object.(cache.DeletedFinalStateUnknown); ok {
			object = tombstone.Obj
		}
		slice, ok := object.(*discoveryv1.EndpointSlice)
		if !ok {
			return
		}
		select {
		case found <- change{time.Now(), kind, slice}:
		case <-ctx.Done():
		}
	}
	_, err = factory.Discovery().V1().EndpointSlices().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(object any) { send(created, object) },
		UpdateFunc: func(before, after any) {
			if version(before) != version(after) {
				send(updated, after)
			}
		},
		DeleteFunc: func(object any) { send(deleted, object) },
	})
	if err != nil {
		cancel()
		return nil, nil, err
	}
	factory.StartWithContext(ctx)
	return found, func() error { cancel(); factory.Shutdown(); return nil }, nil
}

// version distinguishes a change from a repeated list entry.
func version(object any) string {
	slice, ok := object.(*discoveryv1.EndpointSlice)
	if !ok {
		return ""
	}
	return slice.ResourceVersion
}
