// Command floor is a minimal Go program with client-go for the benchmark's work: it
// lists the workloads, creates their EndpointSlices, and turns each event of a workload
// into at most one update. It has no informer, cache, queue, plan, retry or leader
// election. The benchmark compares the controller's CPU time and memory with it.
//
//	floor KUBECONFIG
//
// It prints the time at which it has listed the workloads, and exits on the first
// error.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	discoveryclient "k8s.io/client-go/kubernetes/typed/discovery/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	namespace = "bench"
	resource  = "externalworkloads"
	// writers is the number of requests in flight during the creation of the slices.
	writers = 32
	// watchLasts is longer than any run of the benchmark.
	watchLasts = time.Hour
)

// workload is the part of an ExternalWorkload that the floor uses.
type workload struct {
	Metadata struct {
		Name   string
		Labels map[string]string
	}
	Spec   struct{ WorkloadIPs []struct{ IP string } }
	Status struct {
		Conditions []struct{ Type, Status string }
	}
}

func (w *workload) ready() bool {
	for _, c := range w.Status.Conditions {
		if c.Type == "Ready" {
			return c.Status == "True"
		}
	}
	return false
}

// place is the endpoint of a workload in its slice.
type place struct {
	slice *discoveryv1.EndpointSlice
	index int
}

// floor holds the clients and the published endpoints.
type floor struct {
	workloads rest.Interface
	slices    discoveryclient.EndpointSliceInterface
	places    map[string]place
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "floor:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) error {
	if len(arguments) != 1 {
		return errors.New("usage: floor KUBECONFIG")
	}
	f, err := newFloor(arguments[0])
	if err != nil {
		return err
	}
	version, err := f.publishAll(ctx)
	if err != nil {
		return err
	}
	return f.follow(ctx, version)
}

func newFloor(kubeconfig string) (*floor, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", kubeconfig, err)
	}
	config.QPS = -1
	protobuf := rest.CopyConfig(config)
	protobuf.ContentType = runtime.ContentTypeProtobuf
	slices, err := discoveryclient.NewForConfig(protobuf)
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	config.APIPath, config.GroupVersion = "/apis", &schema.GroupVersion{Group: "workload.linkerd.io", Version: "v1beta1"}
	config.NegotiatedSerializer = serializer.NewCodecFactory(runtime.NewScheme()).WithoutConversion()
	workloads, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	return &floor{workloads: workloads, slices: slices.EndpointSlices(namespace), places: map[string]place{}}, nil
}

// publishAll lists the workloads, creates one slice for each Service, and
// returns the resourceVersion of the list.
func (f *floor) publishAll(ctx context.Context) (string, error) {
	body, err := f.workloads.Get().Namespace(namespace).Resource(resource).Do(ctx).Raw()
	if err != nil {
		return "", fmt.Errorf("listing the workloads: %w", err)
	}
	var list struct {
		Metadata struct{ ResourceVersion string }
		Items    []workload
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return "", fmt.Errorf("decoding the workloads: %w", err)
	}
	fmt.Println("listed", time.Now().UnixNano())
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	for _, slice := range f.slicesOf(list.Items) {
		group.Go(func() error {
			created, err := f.slices.Create(groupCtx, slice, metav1.CreateOptions{})
			if err != nil {
				return fmt.Errorf("creating a slice: %w", err)
			}
			slice.Name, slice.ResourceVersion, slice.UID = created.Name, created.ResourceVersion, created.UID
			return nil
		})
	}
	return list.Metadata.ResourceVersion, group.Wait()
}

// slicesOf makes the slices and remembers the place of each workload.
func (f *floor) slicesOf(workloads []workload) map[string]*discoveryv1.EndpointSlice {
	slices := map[string]*discoveryv1.EndpointSlice{}
	for i := range workloads {
		w := &workloads[i]
		app := w.Metadata.Labels["app"]
		slice := slices[app]
		if slice == nil {
			slice = newSlice(app)
			slices[app] = slice
		}
		f.places[w.Metadata.Name] = place{slice: slice, index: len(slice.Endpoints)}
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
			Addresses:  []string{w.Spec.WorkloadIPs[0].IP},
			Conditions: discoveryv1.EndpointConditions{Ready: new(w.ready()), Serving: new(w.ready()), Terminating: new(false)},
			TargetRef:  &corev1.ObjectReference{Kind: "ExternalWorkload", Namespace: namespace, Name: w.Metadata.Name},
		})
	}
	return slices
}

func newSlice(app string) *discoveryv1.EndpointSlice {
	service := "service-" + strings.Repeat("0", max(5-len(app), 0)) + app
	return &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			GenerateName: "linkerd-external-" + service + "-", Namespace: namespace,
			Labels: map[string]string{
				discoveryv1.LabelServiceName: service,
				discoveryv1.LabelManagedBy:   "linkerd-external-workloads-controller",
			},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: new("http"), Port: new(int32(8080)), Protocol: new(corev1.ProtocolTCP)}},
	}
}

// follow makes one update for each event that changes a workload's readiness.
func (f *floor) follow(ctx context.Context, version string) error {
	stream, err := f.workloads.Get().Namespace(namespace).Resource(resource).
		Param("watch", "1").Param("resourceVersion", version).
		Param("timeoutSeconds", fmt.Sprint(int(watchLasts.Seconds()))).Timeout(watchLasts).Stream(ctx)
	if err != nil {
		return fmt.Errorf("watching the workloads: %w", err)
	}
	defer stream.Close()
	decoder := json.NewDecoder(stream)
	for {
		var event struct{ Object workload }
		if err := decoder.Decode(&event); err != nil {
			return fmt.Errorf("reading the watch: %w", err)
		}
		p, published := f.places[event.Object.Metadata.Name]
		if !published {
			continue
		}
		if err := f.update(ctx, p, event.Object.ready()); err != nil {
			return err
		}
	}
}

func (f *floor) update(ctx context.Context, p place, ready bool) error {
	conditions := &p.slice.Endpoints[p.index].Conditions
	if *conditions.Ready == ready {
		return nil
	}
	conditions.Ready, conditions.Serving = &ready, &ready
	updated, err := f.slices.Update(ctx, p.slice, metav1.UpdateOptions{})
	if err != nil {
		return fmt.Errorf("updating slice %s: %w", p.slice.Name, err)
	}
	p.slice.ResourceVersion = updated.ResourceVersion
	return nil
}
