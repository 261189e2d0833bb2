package apifake

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/testing"
)

// store is a clientset's tracker with the versions, names, conflicts and watches of an
// API server.
type store struct {
	testing.ObjectTracker

	mu       sync.Mutex
	version  int64
	named    int
	history  []change
	watchers []*watcher
	held     map[string]int
}

// change is one write. before is nil for a creation, after for a deletion.
type change struct {
	version       int64
	resource      schema.GroupVersionResource
	namespace     string
	before, after metav1.Object
}

func newStore(tracker testing.ObjectTracker) *store {
	return &store{ObjectTracker: tracker, held: map[string]int{}}
}

// Create implements testing.ObjectTracker.
func (s *store) Create(resource schema.GroupVersionResource, object runtime.Object, namespace string, options ...metav1.CreateOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	created, err := meta.Accessor(object)
	if err != nil {
		return err
	}
	s.named++
	if created.GetName() == "" {
		created.SetName(fmt.Sprintf("%s%05d", created.GetGenerateName(), s.named))
	}
	if created.GetUID() == "" {
		created.SetUID(types.UID(fmt.Sprintf("uid-%d", s.named)))
	}
	if stamp := created.GetCreationTimestamp(); stamp.IsZero() {
		created.SetCreationTimestamp(metav1.NewTime(time.Now().Truncate(time.Second)))
	}
	created.SetGeneration(1)
	created.SetResourceVersion(s.next())
	if err := s.ObjectTracker.Create(resource, object, namespace, options...); err != nil {
		return err
	}
	return s.changed(resource, namespace, nil, created.GetName())
}

// Update implements testing.ObjectTracker.
func (s *store) Update(resource schema.GroupVersionResource, object runtime.Object, namespace string, options ...metav1.UpdateOptions) error {
	return s.replace(resource, object, namespace, func() error {
		return s.ObjectTracker.Update(resource, object, namespace, options...)
	})
}

// Patch implements testing.ObjectTracker: it stores the object that was patched.
func (s *store) Patch(resource schema.GroupVersionResource, object runtime.Object, namespace string, options ...metav1.PatchOptions) error {
	return s.replace(resource, object, namespace, func() error {
		return s.ObjectTracker.Patch(resource, object, namespace, options...)
	})
}

// replace replaces the stored object with the result of a function.
func (s *store) replace(resource schema.GroupVersionResource, object runtime.Object, namespace string, put func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	updated, err := meta.Accessor(object)
	if err != nil {
		return err
	}
	before, err := s.get(resource, namespace, updated.GetName())
	if err != nil {
		return err
	}
	current := before.GetResourceVersion()
	if given := updated.GetResourceVersion(); given != "" && given != current {
		return conflict(resource, updated.GetName(), "the object has been modified")
	}
	if given := updated.GetUID(); given != "" && given != before.GetUID() {
		return conflict(resource, updated.GetName(), "the UID in the precondition does not match")
	}
	updated.SetUID(before.GetUID())
	updated.SetCreationTimestamp(before.GetCreationTimestamp())
	updated.SetManagedFields(before.GetManagedFields())
	updated.SetResourceVersion(current)
	updated.SetGeneration(before.GetGeneration())
	if reflect.DeepEqual(before, updated) {
		return nil
	}
	if !reflect.DeepEqual(substance(before), substance(updated)) {
		updated.SetGeneration(before.GetGeneration() + 1)
	}
	updated.SetResourceVersion(s.next())
	if err := put(); err != nil {
		return err
	}
	return s.changed(resource, namespace, before, updated.GetName())
}

// Delete implements testing.ObjectTracker.
func (s *store) Delete(resource schema.GroupVersionResource, namespace, name string, options ...metav1.DeleteOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, err := s.get(resource, namespace, name)
	if err != nil {
		return err
	}
	for _, option := range options {
		given := option.Preconditions
		if given == nil {
			continue
		}
		if given.UID != nil && *given.UID != before.GetUID() {
			return conflict(resource, name, "the UID in the precondition does not match")
		}
		if given.ResourceVersion != nil && *given.ResourceVersion != before.GetResourceVersion() {
			return conflict(resource, name, "the resourceVersion in the precondition does not match")
		}
	}
	if err := s.ObjectTracker.Delete(resource, namespace, name, options...); err != nil {
		return err
	}
	s.next()
	return s.changed(resource, namespace, before, "")
}

// List implements testing.ObjectTracker.
func (s *store) List(resource schema.GroupVersionResource, kind schema.GroupVersionKind, namespace string, options ...metav1.ListOptions) (runtime.Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list, err := s.ObjectTracker.List(resource, kind, namespace, options...)
	if err != nil {
		return nil, err
	}
	accessor, err := meta.ListAccessor(list)
	if err != nil {
		return nil, err
	}
	accessor.SetResourceVersion(strconv.FormatInt(s.version+1, 10))
	return list, nil
}

// next returns the resourceVersion of the next change. Versions begin at 2: an empty
// server lists with version 1.
func (s *store) next() string {
	s.version++
	return strconv.FormatInt(s.version+1, 10)
}

func (s *store) get(resource schema.GroupVersionResource, namespace, name string) (metav1.Object, error) {
	object, err := s.Get(resource, namespace, name)
	if err != nil {
		return nil, err
	}
	return meta.Accessor(object)
}

func conflict(resource schema.GroupVersionResource, name, why string) error {
	return apierrors.NewConflict(resource.GroupResource(), name, errors.New(why))
}

// substance returns an object without metadata and status.
func substance(object metav1.Object) map[string]any {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		panic(err) // every API type can be converted
	}
	delete(content, "metadata")
	delete(content, "status")
	return content
}
