package faults

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	utilwait "k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	discoveryclient "k8s.io/client-go/kubernetes/typed/discovery/v1"
	discoverylisters "k8s.io/client-go/listers/discovery/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// triggerTime is the annotation that alone is no reason to write.
const triggerTime = "endpoints.kubernetes.io/last-change-trigger-time"

// catchUpInterval is how often a history is compared with the API server.
const catchUpInterval = 50 * time.Millisecond

// SliceChange is one change of an EndpointSlice: Before is nil for a new one,
// After for one that is gone.
type SliceChange struct {
	Before, After *discoveryv1.EndpointSlice
}

// History is every change of the EndpointSlices since it began, in the API
// server's order, as a watch of its own saw them. Where the watch had to list
// again, several changes of one slice are seen as one.
type History struct {
	lister discoverylisters.EndpointSliceLister
	// lists are all that the watch's client asked for, the first one included.
	lists   atomic.Int64
	mu      sync.Mutex
	changes []SliceChange
	// drained are the lists before the last Drain.
	drained int64
}

// Record begins a History of one namespace, or of all if it is empty, that goes
// on until ctx ends.
func Record(ctx context.Context, config *rest.Config, namespace string) (*History, error) {
	h := &History{}
	config = rest.CopyConfig(config)
	config.Wrap(h.countLists)
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("making a client that records EndpointSlices: %w", err)
	}
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(namespace))
	h.lister = factory.Discovery().V1().EndpointSlices().Lister()
	informer := factory.Discovery().V1().EndpointSlices().Informer()
	registration, err := informer.AddEventHandler(cache.ResourceEventHandlerDetailedFuncs{
		AddFunc: func(object any, initial bool) {
			if !initial {
				h.add(SliceChange{After: object.(*discoveryv1.EndpointSlice)})
			}
		},
		UpdateFunc: func(before, after any) {
			h.add(SliceChange{Before: before.(*discoveryv1.EndpointSlice), After: after.(*discoveryv1.EndpointSlice)})
		},
		DeleteFunc: func(object any) {
			if unknown, ok := object.(cache.DeletedFinalStateUnknown); ok {
				object = unknown.Obj
			}
			h.add(SliceChange{Before: object.(*discoveryv1.EndpointSlice)})
		},
	})
	if err != nil {
		return nil, fmt.Errorf("recording EndpointSlices: %w", err)
	}
	factory.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), registration.HasSynced) {
		return nil, fmt.Errorf("recording EndpointSlices: %w", context.Cause(ctx))
	}
	h.drained = h.lists.Load()
	return h, nil
}

// countLists counts the requests that give the objects as they are: lists, and
// watches that begin with all objects.
func (h *History) countLists(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		query := request.URL.Query()
		if query.Get("watch") != "true" || query.Get("sendInitialEvents") == "true" {
			h.lists.Add(1)
		}
		return next.RoundTrip(request)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (r roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }

// CatchUp waits until the history shows every slice of these namespaces as it
// is. Until then it may still list again.
func (h *History) CatchUp(ctx context.Context, client discoveryclient.EndpointSlicesGetter, namespaces ...string) error {
	var behind error
	err := utilwait.PollUntilContextCancel(ctx, catchUpInterval, true, func(ctx context.Context) (bool, error) {
		behind = nil
		for _, namespace := range namespaces {
			behind = errors.Join(behind, h.behind(ctx, client.EndpointSlices(namespace), namespace))
		}
		return behind == nil, nil
	})
	if err != nil {
		return fmt.Errorf("waiting for the recorded EndpointSlices: %w", errors.Join(err, behind))
	}
	return nil
}

// behind says how what the history shows of a namespace differs from what is.
func (h *History) behind(ctx context.Context, client discoveryclient.EndpointSliceInterface, namespace string) error {
	are, err := client.List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	seen, err := h.lister.EndpointSlices(namespace).List(labels.Everything())
	if err != nil {
		return err
	}
	want, have := map[string]string{}, map[string]string{}
	for i := range are.Items {
		want[are.Items[i].Name] = are.Items[i].ResourceVersion
	}
	for _, slice := range seen {
		have[slice.Name] = slice.ResourceVersion
	}
	if !maps.Equal(want, have) {
		return fmt.Errorf("namespace %s is shown with %v instead of %v", namespace, have, want)
	}
	return nil
}

// Lister returns the EndpointSlices as they are after the last change.
func (h *History) Lister() discoverylisters.EndpointSliceLister { return h.lister }

func (h *History) add(change SliceChange) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.changes = append(h.changes, change)
}

// Len returns how many changes there are so far.
func (h *History) Len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.changes)
}

// Since returns the changes after the first so many.
func (h *History) Since(length int) []SliceChange {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.changes[length:])
}

// Drain returns all changes so far and forgets them, so that a long run does not
// hold them all. It reports whether one of them may be several changes, as the
// watch listed again since the last Drain.
func (h *History) Drain() (changes []SliceChange, gaps bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	lists := h.lists.Load()
	changes, gaps = h.changes, lists != h.drained
	h.changes, h.drained = nil, lists
	return changes, gaps
}

// NeedlessWrites names the updates that changed nothing that anybody reads: a
// trigger time alone is no reason to write.
func NeedlessWrites(changes []SliceChange) []string {
	var needless []string
	for _, change := range changes {
		if change.Before == nil || change.After == nil || change.Before.ResourceVersion == change.After.ResourceVersion {
			continue
		}
		if equality.Semantic.DeepEqual(essence(change.Before), essence(change.After)) {
			needless = append(needless, fmt.Sprintf("EndpointSlice %s/%s from resourceVersion %s to %s, written by %v",
				change.After.Namespace, change.After.Name, change.Before.ResourceVersion, change.After.ResourceVersion, managersOf(change.After)))
		}
	}
	return needless
}

func essence(slice *discoveryv1.EndpointSlice) *discoveryv1.EndpointSlice {
	slice = slice.DeepCopy()
	slice.ResourceVersion, slice.Generation, slice.ManagedFields = "", 0, nil
	delete(slice.Annotations, triggerTime)
	return slice
}

// managersOf names the field managers of a slice and when each wrote last.
func managersOf(slice *discoveryv1.EndpointSlice) []string {
	var managers []string
	for _, entry := range slice.ManagedFields {
		managers = append(managers, fmt.Sprintf("%s at %s", entry.Manager, entry.Time))
	}
	return managers
}
