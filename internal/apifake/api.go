package apifake

import (
	"slices"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/testing"
)

// Client is a generated fake clientset.
type Client interface {
	PrependReactor(verb, resource string, reaction testing.ReactionFunc)
	PrependWatchReactor(resource string, reaction testing.WatchReactionFunc)
}

// Failure describes how a request fails.
type Failure struct {
	// Err is the error that the client receives.
	Err error
	// Late is true if the request takes effect and only its answer is lost.
	Late bool
}

// Write is a writing request.
type Write struct {
	// Verb is create, update, patch or delete.
	Verb string
	// Resource is the resource, such as endpointslices.
	Resource string
	// Key is the object's namespace and name, as namespace/name.
	Key string
	// Object is the object of a create or update; nil for other verbs.
	Object runtime.Object
	// Err is the error that the client received.
	Err error
}

// API is a clientset's API server. Its methods are safe for concurrent use.
type API struct {
	store *store

	mu     sync.Mutex
	fail   func(testing.Action) *Failure
	admit  func(runtime.Object)
	writes []Write
}

// Install puts an API server behind a fake clientset whose types are in the
// scheme. The clientset's own objects and their field managers are not used.
func Install(client Client, scheme *runtime.Scheme) *API {
	decoder := serializer.NewCodecFactory(scheme).UniversalDecoder()
	a := &API{store: newStore(testing.NewObjectTracker(scheme, decoder))}
	react := testing.ObjectReaction(a.store)
	client.PrependReactor("*", "*", func(action testing.Action) (bool, runtime.Object, error) {
		return a.answer(action, react)
	})
	client.PrependWatchReactor("*", func(action testing.Action) (bool, watch.Interface, error) {
		var options metav1.ListOptions
		if with, ok := action.(testing.WatchActionImpl); ok {
			options = with.ListOptions
		}
		stream, err := a.store.Watch(action.GetResource(), action.GetNamespace(), options)
		return true, stream, err
	})
	return a
}

// Fail sets a function that decides which requests fail. It returns nil for requests
// that succeed, and must neither block nor make requests. A nil function makes all
// succeed.
func (a *API) Fail(decide func(testing.Action) *Failure) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fail = decide
}

// Admit sets a function that changes the objects of creates and updates before they are
// stored, like an admission plugin or an API server that does not know a field. A nil
// function removes it.
func (a *API) Admit(change func(runtime.Object)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.admit = change
}

// Writes returns all writing requests since the last call, failed ones included.
func (a *API) Writes() []Write {
	a.mu.Lock()
	defer a.mu.Unlock()
	writes := a.writes
	a.writes = nil
	return writes
}

// Hold delays the events of a resource, such as endpointslices, until the returned
// function is called.
func (a *API) Hold(resource string) (release func()) { return a.store.hold(resource) }

// answer performs a request unless it must fail, and records writes.
func (a *API) answer(action testing.Action, react testing.ReactionFunc) (bool, runtime.Object, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var failure *Failure
	if a.fail != nil {
		failure = a.fail(action)
	}
	var object runtime.Object
	var err error
	if failure == nil || failure.Late {
		_, object, err = react(a.admitted(action))
	}
	if failure != nil {
		object, err = nil, failure.Err
	}
	if slices.Contains([]string{"create", "update", "patch", "delete"}, action.GetVerb()) {
		a.writes = append(a.writes, writeOf(action, err))
	}
	return true, object, err
}

// admitted returns the action with the object as Admit changed it.
func (a *API) admitted(action testing.Action) testing.Action {
	if a.admit == nil {
		return action
	}
	switch sent := action.(type) {
	case testing.CreateActionImpl:
		sent.Object = sent.Object.DeepCopyObject()
		a.admit(sent.Object)
		return sent
	case testing.UpdateActionImpl:
		sent.Object = sent.Object.DeepCopyObject()
		a.admit(sent.Object)
		return sent
	}
	return action
}

func writeOf(action testing.Action, err error) Write {
	w := Write{Verb: action.GetVerb(), Resource: action.GetResource().Resource, Err: err}
	switch action := action.(type) {
	case testing.CreateActionImpl:
		w.Object = action.GetObject()
	case testing.UpdateActionImpl:
		w.Object = action.GetObject()
	}
	w.Key = action.GetNamespace() + "/" + nameOf(action, w.Object)
	return w
}

func nameOf(action testing.Action, object runtime.Object) string {
	if named, ok := action.(interface{ GetName() string }); ok && named.GetName() != "" {
		return named.GetName()
	}
	if accessor, ok := object.(metav1.Object); ok {
		return accessor.GetName()
	}
	return ""
}
