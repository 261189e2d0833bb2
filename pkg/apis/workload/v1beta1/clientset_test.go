package v1beta1_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	applyv1beta1 "github.com/external-workload/controller/pkg/generated/applyconfiguration/workload/v1beta1"
	"github.com/external-workload/controller/pkg/generated/clientset/versioned/fake"
	typedv1beta1 "github.com/external-workload/controller/pkg/generated/clientset/versioned/typed/workload/v1beta1"
)

// fakeClient returns a client of a namespace with the workloads a and b, which have
// different labels.
func fakeClient(t *testing.T) typedv1beta1.ExternalWorkloadInterface {
	t.Helper()
	return fake.NewClientset(
		build.Workload("shop/a", build.NotReady()),
		build.Workload("shop/b", build.NoLabels(), build.Label("app", "other")),
		build.Workload("else/c"),
	).WorkloadV1beta1().ExternalWorkloads("shop")
}

func TestFakeClientsetCreates(t *testing.T) {
	client := fakeClient(t)
	want := build.Workload("shop/new")
	if _, err := client.Create(t.Context(), want, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	got, err := client.Get(t.Context(), "new", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Spec, got.Spec); diff != "" {
		t.Errorf("spec differs (-want +got):\n%s", diff)
	}
	if _, err := client.Create(t.Context(), want, metav1.CreateOptions{}); !apierrors.IsAlreadyExists(err) {
		t.Errorf("a second creation: %v, want AlreadyExists", err)
	}
}

func TestFakeClientsetUpdatesStatus(t *testing.T) {
	client := fakeClient(t)
	changed := build.Workload("shop/a")
	if _, err := client.UpdateStatus(t.Context(), changed, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	got, err := client.Get(t.Context(), "a", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(changed.Status, got.Status); diff != "" {
		t.Errorf("status differs (-want +got):\n%s", diff)
	}
}

func TestFakeClientsetLists(t *testing.T) {
	list, err := fakeClient(t).List(t.Context(), metav1.ListOptions{LabelSelector: "app=other"})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for i := range list.Items {
		names = append(names, list.Items[i].Name)
	}
	if diff := cmp.Diff([]string{"b"}, names); diff != "" {
		t.Errorf("listed differs (-want +got):\n%s", diff)
	}
}

func TestFakeClientsetApplies(t *testing.T) {
	client := fakeClient(t)
	apply := func(manager string, spec *applyv1beta1.ExternalWorkloadSpecApplyConfiguration) *v1beta1.ExternalWorkload {
		t.Helper()
		got, err := client.Apply(t.Context(), applyv1beta1.ExternalWorkload("applied", "shop").WithSpec(spec), metav1.ApplyOptions{FieldManager: manager})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	apply("one", applyv1beta1.ExternalWorkloadSpec().
		WithMeshTLS(applyv1beta1.MeshTLS().WithIdentity("i").WithServerName("s")).
		WithPorts(applyv1beta1.PortSpec().WithPort(80).WithProtocol("TCP").WithName("http")))
	got := apply("two", applyv1beta1.ExternalWorkloadSpec().
		WithPorts(applyv1beta1.PortSpec().WithPort(81).WithProtocol("TCP").WithName("admin")))
	want := v1beta1.ExternalWorkloadSpec{
		MeshTLS: v1beta1.MeshTLS{Identity: "i", ServerName: "s"},
		// Ports are a list with keys, so the second writer adds to those of the first.
		Ports: []v1beta1.PortSpec{{Name: "http", Port: 80, Protocol: "TCP"}, {Name: "admin", Port: 81, Protocol: "TCP"}},
	}
	if diff := cmp.Diff(want, got.Spec); diff != "" {
		t.Errorf("spec differs (-want +got):\n%s", diff)
	}
}

func TestFakeClientsetAppliesStatus(t *testing.T) {
	client := fakeClient(t)
	_, err := client.ApplyStatus(t.Context(), applyv1beta1.ExternalWorkload("b", "shop").WithStatus(
		applyv1beta1.ExternalWorkloadStatus().WithConditions(
			applyv1beta1.WorkloadCondition().WithType("Disk").WithStatus(v1beta1.ConditionTrue))),
		metav1.ApplyOptions{FieldManager: "one"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := client.Get(t.Context(), "b", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := []v1beta1.WorkloadCondition{build.Condition("Ready", "True"), build.Condition("Disk", "True")}
	if diff := cmp.Diff(want, got.Status.Conditions); diff != "" {
		t.Errorf("conditions differ (-want +got):\n%s", diff)
	}
}

func TestFakeClientsetWatches(t *testing.T) {
	client := fakeClient(t)
	watcher, err := client.Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer watcher.Stop()
	if _, err := client.UpdateStatus(t.Context(), build.Workload("shop/a"), metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := client.Delete(t.Context(), "b", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		event watch.EventType
		name  string
	}{{watch.Added, "a"}, {watch.Added, "b"}, {watch.Modified, "a"}, {watch.Deleted, "b"}} {
		select {
		case got := <-watcher.ResultChan():
			object, ok := got.Object.(*v1beta1.ExternalWorkload)
			if !ok || got.Type != want.event || object.Name != want.name {
				t.Errorf("got %s of %v, want %s of %s", got.Type, got.Object, want.event, want.name)
			}
		case <-t.Context().Done():
			t.Fatal("the watch sent nothing")
		}
	}
}
