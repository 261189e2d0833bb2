// Package sliceapi is a small EndpointSlice API in memory, for tests with long
// histories of writes. It has the behavior that the controller's correctness depends
// on: generated names, UIDs, resource versions and conflicts, preconditions,
// generations, and the refusal of invalid slices.
//
// It has the slices of one namespace, is deterministic, and is not safe for concurrent
// use. It returns stored objects without copying them and never changes them, like an
// informer's cache; callers must not change them either.
//
// The package is test support: shipped code must not import it.
package sliceapi

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

var resource = schema.GroupResource{Group: discoveryv1.GroupName, Resource: "endpointslices"}

// Verb is a kind of call.
type Verb string

// The calls of the API.
const (
	Create Verb = "create"
	Update Verb = "update"
	Delete Verb = "delete"
)

// Failure is the way in which a call fails.
type Failure int

// The ways in which a call fails.
const (
	// None is a call that does not fail.
	None Failure = iota
	// ErrorBefore is an error before the call takes effect.
	ErrorBefore
	// TimeoutAfter is a timeout although the call took effect.
	TimeoutAfter
	// Conflict is the error of an update or a deletion of an object that has changed. A
	// creation fails with ErrorBefore instead.
	Conflict
)

// Write is one write that took effect.
type Write struct {
	Verb Verb
	// Previous is the slice before the write, nil for a creation.
	Previous *discoveryv1.EndpointSlice
	// Current is the slice after the write, nil for a deletion.
	Current *discoveryv1.EndpointSlice
}

// API is the slices of one namespace.
type API struct {
	// Fail, if set, decides before each call whether and how it fails.
	Fail func(Verb, *discoveryv1.EndpointSlice) Failure
	// Observe, if set, is called with each write that took effect, in order.
	Observe func(Write)

	stored   []*discoveryv1.EndpointSlice // ordered by name
	revision int
	created  int
}

// List returns the slices ordered by name. The caller may change the list.
func (a *API) List() []*discoveryv1.EndpointSlice { return slices.Clone(a.stored) }

// Create stores a new slice, generates its name if necessary, and returns the stored
// slice.
func (a *API) Create(slice *discoveryv1.EndpointSlice) (*discoveryv1.EndpointSlice, error) {
	failure := a.failure(Create, slice)
	if failure == ErrorBefore || failure == Conflict {
		return nil, apierrors.NewInternalError(fmt.Errorf("injected before the creation"))
	}
	created := *slice
	if created.Name == "" && created.GenerateName != "" {
		created.Name = created.GenerateName + suffix(a.created)
	}
	if errs := Validate(&created); len(errs) > 0 {
		return nil, apierrors.NewInvalid(discoveryv1.SchemeGroupVersion.WithKind("EndpointSlice").GroupKind(), created.Name, errs)
	}
	at, found := a.find(created.Name)
	if found {
		return nil, apierrors.NewAlreadyExists(resource, created.Name)
	}
	a.created++
	created.UID = types.UID(fmt.Sprintf("slice-uid-%d", a.created))
	created.Generation = 1
	created.ResourceVersion = a.nextRevision()
	created.CreationTimestamp = metav1.NewTime(time.Unix(int64(a.revision), 0))
	a.stored = slices.Insert(a.stored, at, &created)
	a.notify(Write{Verb: Create, Current: &created})
	return &created, a.after(failure, Create)
}

// Update replaces the slice of that name and returns the stored slice. It conflicts unless
// the resourceVersion is the stored one or empty. An update that changes nothing is not a
// write.
func (a *API) Update(slice *discoveryv1.EndpointSlice) (*discoveryv1.EndpointSlice, error) {
	failure := a.failure(Update, slice)
	if failure == ErrorBefore {
		return nil, apierrors.NewInternalError(fmt.Errorf("injected before the update"))
	}
	at, found := a.find(slice.Name)
	if !found {
		return nil, apierrors.NewNotFound(resource, slice.Name)
	}
	previous := a.stored[at]
	if failure == Conflict || slice.ResourceVersion != "" && slice.ResourceVersion != previous.ResourceVersion {
		return nil, conflict(slice.Name)
	}
	if slice.UID != "" && slice.UID != previous.UID {
		return nil, conflict(slice.Name)
	}
	errs := validateUpdate(slice, previous)
	if len(errs) > 0 {
		return nil, apierrors.NewInvalid(discoveryv1.SchemeGroupVersion.WithKind("EndpointSlice").GroupKind(), slice.Name, errs)
	}
	updated := *slice
	updated.UID, updated.CreationTimestamp = previous.UID, previous.CreationTimestamp
	updated.ResourceVersion, updated.Generation = previous.ResourceVersion, previous.Generation
	if reflect.DeepEqual(previous, &updated) {
		return previous, a.after(failure, Update)
	}
	if !sameContent(previous, &updated) {
		updated.Generation++
	}
	updated.ResourceVersion = a.nextRevision()
	a.stored[at] = &updated
	a.notify(Write{Verb: Update, Previous: previous, Current: &updated})
	return &updated, a.after(failure, Update)
}

// Keep replaces an existing slice without validation, like an older API server. Invalid
// fields stay until they are changed.
func (a *API) Keep(slice *discoveryv1.EndpointSlice) {
	at, found := a.find(slice.Name)
	if !found {
		return
	}
	previous, kept := a.stored[at], *slice
	kept.Generation++
	kept.ResourceVersion = a.nextRevision()
	a.stored[at] = &kept
	a.notify(Write{Verb: Update, Previous: previous, Current: &kept})
}

// Delete removes the slice of that name. It conflicts if a precondition does not hold.
func (a *API) Delete(name string, preconditions metav1.Preconditions) error {
	at, found := a.find(name)
	if !found {
		return apierrors.NewNotFound(resource, name)
	}
	previous := a.stored[at]
	failure := a.failure(Delete, previous)
	if failure == ErrorBefore {
		return apierrors.NewInternalError(fmt.Errorf("injected before the deletion"))
	}
	if failure == Conflict ||
		preconditions.UID != nil && *preconditions.UID != previous.UID ||
		preconditions.ResourceVersion != nil && *preconditions.ResourceVersion != previous.ResourceVersion {
		return conflict(name)
	}
	a.nextRevision()
	a.stored = slices.Delete(a.stored, at, at+1)
	a.notify(Write{Verb: Delete, Previous: previous})
	return a.after(failure, Delete)
}

func (a *API) failure(verb Verb, slice *discoveryv1.EndpointSlice) Failure {
	if a.Fail == nil {
		return None
	}
	return a.Fail(verb, slice)
}

func (a *API) notify(write Write) {
	if a.Observe != nil {
		a.Observe(write)
	}
}

func (a *API) after(failure Failure, verb Verb) error {
	if failure == TimeoutAfter {
		return apierrors.NewTimeoutError("injected after the "+string(verb), 0)
	}
	return nil
}

func (a *API) find(name string) (int, bool) {
	return slices.BinarySearchFunc(a.stored, name, func(slice *discoveryv1.EndpointSlice, name string) int {
		return strings.Compare(slice.Name, name)
	})
}

func (a *API) nextRevision() string {
	a.revision++
	return fmt.Sprint(a.revision)
}

func conflict(name string) error {
	return apierrors.NewConflict(resource, name, fmt.Errorf("the object has been modified"))
}

// sameContent reports whether the fields are equal that the generation counts.
func sameContent(a, b *discoveryv1.EndpointSlice) bool {
	return maps.Equal(a.Labels, b.Labels) && reflect.DeepEqual(a.Endpoints, b.Endpoints) && reflect.DeepEqual(a.Ports, b.Ports)
}

// suffix returns the generated part of the n-th name. Names do not sort in the order of
// creation, so that no code can rely on it.
func suffix(n int) string {
	const alphabet = "bcdfghjklmnpqrstvwxz2456789"
	scattered := uint32(n+1) * 2654435761
	text := make([]byte, 5)
	for i := range text {
		text[i] = alphabet[scattered%uint32(len(alphabet))]
		scattered /= uint32(len(alphabet))
	}
	return string(text)
}
