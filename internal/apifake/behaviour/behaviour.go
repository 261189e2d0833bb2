// Package behaviour tests the behavior of an API server that the controllers' unit
// tests rely on. It runs against the fake and against a real API server, so that both
// stay equal.
package behaviour

import (
	"context"
	"strings"
	"testing"

	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	discoveryclient "k8s.io/client-go/kubernetes/typed/discovery/v1"
)

// Test tests a client's API server in a namespace, which must exist and contain no other
// EndpointSlices.
func Test(t *testing.T, client kubernetes.Interface, namespace string) {
	s := &server{slices: client.DiscoveryV1().EndpointSlices(namespace)}
	t.Run("a create with generateName gets a name, a UID, a resourceVersion and generation 1", s.testCreate)
	t.Run("a create of a name that exists is refused", s.testCreateAgain)
	t.Run("an update with a new content gets a later resourceVersion and generation", s.testUpdate)
	t.Run("an update that changes nothing keeps the resourceVersion", s.testUpdateOfNothing)
	t.Run("an update with an old resourceVersion is a conflict", s.testOldUpdate)
	t.Run("an update of a deleted object is not found or a conflict", s.testUpdateOfDeleted)
	t.Run("a delete with another UID or an old resourceVersion is a conflict", s.testDelete)
	t.Run("a watch continues where the list ended", s.testWatch)
	t.Run("a watch with a selector reports an object that ceases to match as deleted", s.testWatchBySelector)
}

type server struct {
	slices discoveryclient.EndpointSliceInterface
}

// create makes a slice with one endpoint and a label.
func (s *server) create(t *testing.T) *discoveryv1.EndpointSlice {
	t.Helper()
	created, err := s.slices.Create(t.Context(), &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{GenerateName: "generated-", Labels: map[string]string{"colour": "red"}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{"192.0.2.1"}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// A test may have deleted it already.
		_ = s.slices.Delete(context.WithoutCancel(t.Context()), created.Name, metav1.DeleteOptions{})
	})
	return created
}

func (s *server) update(t *testing.T, slice *discoveryv1.EndpointSlice, change func(*discoveryv1.EndpointSlice)) *discoveryv1.EndpointSlice {
	t.Helper()
	changed := slice.DeepCopy()
	change(changed)
	updated, err := s.slices.Update(t.Context(), changed, metav1.UpdateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return updated
}

func readdress(slice *discoveryv1.EndpointSlice) {
	slice.Endpoints[0].Addresses[0] = "192.0.2.2"
}

func (s *server) testCreate(t *testing.T) {
	created := s.create(t)
	if !strings.HasPrefix(created.Name, "generated-") || len(created.Name) <= len("generated-") {
		t.Errorf("the name is %q", created.Name)
	}
	if created.UID == "" || created.ResourceVersion == "" || created.Generation != 1 || created.CreationTimestamp.IsZero() {
		t.Errorf("created %+v", created.ObjectMeta)
	}
}

func (s *server) testCreateAgain(t *testing.T) {
	created := s.create(t)
	again := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Name: created.Name}, AddressType: discoveryv1.AddressTypeIPv4}
	if _, err := s.slices.Create(t.Context(), again, metav1.CreateOptions{}); !apierrors.IsAlreadyExists(err) {
		t.Errorf("got %v, want AlreadyExists", err)
	}
}

func (s *server) testUpdate(t *testing.T) {
	created := s.create(t)
	updated := s.update(t, created, readdress)
	order, err := resourceversion.CompareResourceVersion(created.ResourceVersion, updated.ResourceVersion)
	if err != nil || order >= 0 {
		t.Errorf("resourceVersion went from %s to %s (%v)", created.ResourceVersion, updated.ResourceVersion, err)
	}
	if updated.Generation != 2 || updated.UID != created.UID {
		t.Errorf("updated %+v", updated.ObjectMeta)
	}
}

func (s *server) testUpdateOfNothing(t *testing.T) {
	created := s.create(t)
	if updated := s.update(t, created, func(*discoveryv1.EndpointSlice) {}); updated.ResourceVersion != created.ResourceVersion {
		t.Errorf("resourceVersion went from %s to %s", created.ResourceVersion, updated.ResourceVersion)
	}
}

func (s *server) testOldUpdate(t *testing.T) {
	created := s.create(t)
	s.update(t, created, readdress)
	if _, err := s.slices.Update(t.Context(), created, metav1.UpdateOptions{}); !apierrors.IsConflict(err) {
		t.Errorf("got %v, want a conflict", err)
	}
}

func (s *server) testUpdateOfDeleted(t *testing.T) {
	created := s.create(t)
	if err := s.slices.Delete(t.Context(), created.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	// Kubernetes 1.33 answers with a conflict. The controllers treat both alike.
	if _, err := s.slices.Update(t.Context(), created, metav1.UpdateOptions{}); !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		t.Errorf("got %v, want not found or a conflict", err)
	}
	if err := s.slices.Delete(t.Context(), created.Name, metav1.DeleteOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("deleting it again: %v, want not found", err)
	}
}

func (s *server) testDelete(t *testing.T) {
	created := s.create(t)
	updated := s.update(t, created, readdress)
	other := types.UID("00000000-0000-0000-0000-000000000000")
	for name, preconditions := range map[string]metav1.Preconditions{
		"another UID":            {UID: &other},
		"an old resourceVersion": {UID: &created.UID, ResourceVersion: &created.ResourceVersion},
	} {
		err := s.slices.Delete(t.Context(), created.Name, metav1.DeleteOptions{Preconditions: &preconditions})
		if !apierrors.IsConflict(err) {
			t.Errorf("with %s: got %v, want a conflict", name, err)
		}
	}
	now := metav1.Preconditions{UID: &updated.UID, ResourceVersion: &updated.ResourceVersion}
	if err := s.slices.Delete(t.Context(), created.Name, metav1.DeleteOptions{Preconditions: &now}); err != nil {
		t.Errorf("with the stored object: %v", err)
	}
}

func (s *server) testWatch(t *testing.T) {
	list, err := s.slices.List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	created := s.create(t)
	stream := s.watch(t, metav1.ListOptions{ResourceVersion: list.ResourceVersion})
	expect(t, stream, watch.Added, created.ResourceVersion)
	updated := s.update(t, created, readdress)
	expect(t, stream, watch.Modified, updated.ResourceVersion)
	if err := s.slices.Delete(t.Context(), created.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	expect(t, stream, watch.Deleted, "")
}

func (s *server) testWatchBySelector(t *testing.T) {
	list, err := s.slices.List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	stream := s.watch(t, metav1.ListOptions{ResourceVersion: list.ResourceVersion, LabelSelector: "colour=red"})
	red := s.create(t)
	expect(t, stream, watch.Added, red.ResourceVersion)
	green := s.update(t, red, func(slice *discoveryv1.EndpointSlice) { slice.Labels["colour"] = "green" })
	expect(t, stream, watch.Deleted, green.ResourceVersion)
	again := s.update(t, green, func(slice *discoveryv1.EndpointSlice) { slice.Labels["colour"] = "red" })
	expect(t, stream, watch.Added, again.ResourceVersion)
}

func (s *server) watch(t *testing.T, options metav1.ListOptions) <-chan watch.Event {
	t.Helper()
	stream, err := s.slices.Watch(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stream.Stop)
	return stream.ResultChan()
}

// expect takes the next event of a watch. An empty version is not compared.
func expect(t *testing.T, stream <-chan watch.Event, kind watch.EventType, version string) {
	t.Helper()
	select {
	case event := <-stream:
		slice, ok := event.Object.(*discoveryv1.EndpointSlice)
		if !ok || event.Type != kind || version != "" && slice.ResourceVersion != version {
			t.Fatalf("got %s %+v, want %s at resourceVersion %s", event.Type, event.Object, kind, version)
		}
	case <-t.Context().Done():
		t.Fatalf("no event, want %s", kind)
	}
}
