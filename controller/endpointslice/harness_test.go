package endpointslice

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	corefake "k8s.io/client-go/kubernetes/fake"
	corescheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/ktesting"

	"github.com/external-workload/controller/internal/apifake"
	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/generated/clientset/versioned/fake"
	"github.com/external-workload/controller/pkg/generated/clientset/versioned/scheme"
)

// world is a controller with real informers on a fake API. Time passes only in pass.
type world struct {
	*notes
	t         *testing.T
	core      *corefake.Clientset
	workloads *fake.Clientset
	// api serves Services and slices, workloadAPI the workloads.
	api, workloadAPI *apifake.API
	controller       *Controller
	stop             func()

	// cached are all objects that informers delivered, with a copy of each.
	mu     sync.Mutex
	cached map[runtime.Object]runtime.Object
}

// inWorld runs a test in a bubble where a controller publishes what is given.
func inWorld(t *testing.T, given []runtime.Object, test func(*world)) {
	t.Helper()
	inWorldWith(t, given, func(*Config) {}, test)
}

// inWorldWith is inWorld with a changed configuration.
func inWorldWith(t *testing.T, given []runtime.Object, change func(*Config), test func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.put(given...)
		w.start(change)
		// Syncs that a stale cache delayed have run.
		w.pass(time.Second)
		test(w)
		w.stop()
		w.checkCaches()
	})
}

func newWorld(t *testing.T) *world {
	w := &world{notes: newNotes(), t: t, core: corefake.NewClientset(), workloads: fake.NewClientset(), cached: map[runtime.Object]runtime.Object{}}
	w.api, w.workloadAPI = apifake.Install(w.core, corescheme.Scheme), apifake.Install(w.workloads, scheme.Scheme)
	// Objects have settled unless a test says otherwise.
	w.pass(time.Until(build.Epoch.Add(time.Hour)))
	return w
}

// start runs a controller and returns when it has nothing left to do.
func (w *world) start(change func(*Config)) {
	w.t.Helper()
	informers, err := NewInformers(w.core, w.workloads, "", build.ManagedBy)
	if err != nil {
		w.t.Fatal(err)
	}
	w.noteCached(informers)
	config := Config{
		Client: w.core.DiscoveryV1(), Informers: []*Informers{informers}, Events: w.notes, Observer: w.notes,
		ManagedBy: build.ManagedBy, FieldManager: "test", MaxEndpoints: 100,
	}
	change(&config)
	if w.controller, err = New(config); err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(klog.NewContext(w.t.Context(), ktesting.NewLogger(w.t, ktesting.NewConfig(ktesting.Verbosity(0)))))
	var running sync.WaitGroup
	running.Go(func() {
		if err := w.controller.Run(ctx, 4); err != nil {
			w.t.Error(err)
		}
	})
	if w.controller.Synced() == nil {
		w.t.Error("the controller says that its caches are filled before its informers were started")
	}
	for _, i := range config.Informers {
		i.Start(ctx)
	}
	w.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
		for _, i := range config.Informers {
			i.Wait()
		}
	})
	synctest.Wait()
	if err := w.controller.Synced(); err != nil {
		w.t.Error(err)
	}
}

// restart stops the controller, lets a function change the world, and runs a new
// controller without state.
func (w *world) restart(meanwhile func()) {
	w.t.Helper()
	w.stop()
	meanwhile()
	w.start(func(*Config) {})
	w.pass(time.Second)
}

// pass lets time pass.
func (w *world) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// put creates or replaces objects, and returns when the controller has nothing left to
// do at this moment.
func (w *world) put(objects ...runtime.Object) {
	w.t.Helper()
	for _, object := range objects {
		if err := w.store(object.DeepCopyObject()); err != nil {
			w.t.Fatal(err)
		}
	}
	synctest.Wait()
}

func (w *world) store(object runtime.Object) error {
	ctx := w.t.Context()
	switch object := object.(type) {
	case *corev1.Service:
		object.ResourceVersion = ""
		return createOrUpdate(ctx, w.core.CoreV1().Services(object.Namespace), object)
	case *v1beta1.ExternalWorkload:
		object.ResourceVersion = ""
		return createOrUpdate(ctx, w.workloads.WorkloadV1beta1().ExternalWorkloads(object.Namespace), object)
	case *discoveryv1.EndpointSlice:
		object.ResourceVersion = ""
		return createOrUpdate(ctx, w.core.DiscoveryV1().EndpointSlices(object.Namespace), object)
	}
	return fmt.Errorf("no client for %T", object)
}

// writer is what typed clients have in common.
type writer[T any] interface {
	Create(context.Context, T, metav1.CreateOptions) (T, error)
	Update(context.Context, T, metav1.UpdateOptions) (T, error)
}

func createOrUpdate[T any](ctx context.Context, client writer[T], object T) error {
	_, err := client.Create(ctx, object, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		_, err = client.Update(ctx, object, metav1.UpdateOptions{})
	}
	return err
}

// remove deletes objects of the namespace shop, such as "service web".
func (w *world) remove(names ...string) {
	w.t.Helper()
	for _, named := range names {
		kind, name, _ := strings.Cut(named, " ")
		var err error
		switch kind {
		case "service":
			err = w.core.CoreV1().Services("shop").Delete(w.t.Context(), name, metav1.DeleteOptions{})
		case "workload":
			err = w.workloads.WorkloadV1beta1().ExternalWorkloads("shop").Delete(w.t.Context(), name, metav1.DeleteOptions{})
		case "slice":
			err = w.core.DiscoveryV1().EndpointSlices("shop").Delete(w.t.Context(), name, metav1.DeleteOptions{})
		default:
			w.t.Fatalf("no client for %q", named)
		}
		if err != nil {
			w.t.Fatal(err)
		}
	}
	synctest.Wait()
}

// slices returns all slices of the namespace shop, by name.
func (w *world) slices() []discoveryv1.EndpointSlice {
	w.t.Helper()
	list, err := w.core.DiscoveryV1().EndpointSlices("shop").List(w.t.Context(), metav1.ListOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	slices.SortFunc(list.Items, func(a, b discoveryv1.EndpointSlice) int { return strings.Compare(a.Name, b.Name) })
	return list.Items
}

// slice returns the only slice of the namespace shop.
func (w *world) slice() *discoveryv1.EndpointSlice {
	w.t.Helper()
	all := w.slices()
	if len(all) != 1 {
		w.t.Fatalf("there are %d slices, want 1", len(all))
	}
	return &all[0]
}

// published describes each slice of the namespace shop in a line such as
// "web IPv4 http:8080 | a 192.0.2.1 | b 192.0.2.2 not ready".
func (w *world) published() []string {
	w.t.Helper()
	var lines []string
	for _, slice := range w.slices() {
		lines = append(lines, lineOf(&slice))
	}
	slices.Sort(lines)
	return lines
}

func lineOf(slice *discoveryv1.EndpointSlice) string {
	ports := make([]string, len(slice.Ports))
	for i, port := range slice.Ports {
		ports[i] = fmt.Sprintf("%s:%d", *port.Name, *port.Port)
	}
	endpoints := make([]string, len(slice.Endpoints))
	for i, e := range slice.Endpoints {
		endpoints[i] = " | " + e.TargetRef.Name + " " + e.Addresses[0]
		if !*e.Conditions.Ready {
			endpoints[i] += " not ready"
		}
	}
	slices.Sort(endpoints)
	return fmt.Sprintf("%s %s %s%s", slice.Labels[discoveryv1.LabelServiceName], slice.AddressType, strings.Join(ports, ","), strings.Join(endpoints, ""))
}

// mustPublish compares what is published with lines as published gives them.
func (w *world) mustPublish(want ...string) {
	w.t.Helper()
	if diff := cmp.Diff(want, w.published()); diff != "" {
		w.t.Errorf("published: -want +got\n%s", diff)
	}
}

// mustWrite compares the controller's writes since the last call.
func (w *world) mustWrite(want ...string) {
	w.t.Helper()
	if diff := cmp.Diff(want, w.writes()); diff != "" {
		w.t.Errorf("writes: -want +got\n%s", diff)
	}
}

// noteCached copies every object that informers show.
func (w *world) noteCached(i *Informers) {
	note := func(object any) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if o, ok := object.(runtime.Object); ok && w.cached[o] == nil {
			w.cached[o] = o.DeepCopyObject()
		}
	}
	all := []cache.SharedIndexInformer{i.Services, i.Workloads.Informer()}
	for _, slices := range i.Slices {
		all = append(all, slices)
	}
	for _, informer := range all {
		_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc: note, UpdateFunc: func(_, now any) { note(now) },
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

// checkCaches fails the test if an object in a cache was changed.
func (w *world) checkCaches() {
	for object, before := range w.cached {
		if !reflect.DeepEqual(object, before) {
			w.t.Errorf("a cached object was changed: -before +now\n%s", cmp.Diff(before, object))
		}
	}
}

// given lists the objects with which a world begins.
func given(objects ...runtime.Object) []runtime.Object { return objects }
