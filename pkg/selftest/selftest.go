// Package selftest checks an installation from inside the cluster: it creates a Service
// and an ExternalWorkload, waits until the installed controller publishes the endpoint,
// and deletes both.
//
// helm test runs it from the controller's own image, so it also works in a cluster
// without access to an image registry. It uses only the API, as any consumer does, and
// must not import the controllers.
package selftest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/generated/clientset/versioned"
)

const (
	// namePrefix begins the names of both objects.
	namePrefix = "external-workload-selftest-"
	// selectorLabel connects the two; its value is the Service's name.
	selectorLabel = "external-workload.io/selftest"
	// port is the port of the Service and of the workload.
	port = 80
	// interval is the time between two reads of the slices.
	interval = 100 * time.Millisecond
	// cleanupTimeout is the timeout of the deletions, which run even if the test was
	// cancelled.
	cleanupTimeout = 10 * time.Second
	// kubernetesManager is the managed-by label of Kubernetes' own EndpointSlice
	// controller. It creates an empty slice for every Service with a selector, and
	// endpoints only for Pods.
	kubernetesManager = "endpointslice-controller.k8s.io"
)

// Options are the settings of the test.
type Options struct {
	// Namespace is where the objects are created. The controller must watch it.
	Namespace string
	// Address is the workload's address. Nothing is sent to it.
	Address string
	// Timeout is how long to wait for the endpoint.
	Timeout time.Duration
	// Ready requires that the endpoint becomes ready, so the controller has to write
	// readiness. Otherwise an endpoint that is not ready is enough.
	Ready bool
}

// Validate returns an error for the first invalid option.
func (o Options) Validate() error {
	if o.Namespace == "" {
		return errors.New("--namespace is empty: name a namespace that the controller serves")
	}
	if _, err := netip.ParseAddr(o.Address); err != nil {
		return fmt.Errorf("--address %q is no IP address", o.Address)
	}
	if o.Timeout <= 0 {
		return fmt.Errorf("--timeout %s is not positive", o.Timeout)
	}
	return nil
}

// Run creates the objects, waits for the endpoint, writes to out how long it took, and
// deletes the objects in any case. The error says which step failed.
func Run(ctx context.Context, core kubernetes.Interface, workloads versioned.Interface, options Options, out io.Writer) (err error) {
	service, err := core.CoreV1().Services(options.Namespace).Create(ctx, newService(), metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("creating a Service in namespace %s: %w", options.Namespace, err)
	}
	defer func() {
		err = errors.Join(err, cleanUp(ctx, core, workloads, service))
	}()
	workload := newWorkload(service.Name, options)
	if _, err := workloads.WorkloadV1beta1().ExternalWorkloads(options.Namespace).Create(ctx, workload, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("creating an ExternalWorkload in namespace %s: %w", options.Namespace, err)
	}
	start := time.Now()
	if err := waitForEndpoint(ctx, core, service, options); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "workload %s/%s with address %s was published after %d ms\n",
		options.Namespace, service.Name, options.Address, time.Since(start).Milliseconds())
	return err
}

// newService returns a headless Service, which needs no ClusterIP. It generates the
// name itself, because the selector contains it.
func newService() *corev1.Service {
	name := namePrefix + fmt.Sprintf("%x", time.Now().UnixNano())
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.ServiceSpec{
			ClusterIP: corev1.ClusterIPNone,
			Selector:  map[string]string{selectorLabel: name},
			Ports:     []corev1.ServicePort{{Name: "http", Port: port}},
		},
	}
}

func newWorkload(name string, options Options) *v1beta1.ExternalWorkload {
	workload := &v1beta1.ExternalWorkload{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{selectorLabel: name}},
		Spec: v1beta1.ExternalWorkloadSpec{
			MeshTLS:     v1beta1.MeshTLS{Identity: name, ServerName: name},
			WorkloadIPs: []v1beta1.WorkloadIP{{IP: options.Address}},
			Ports:       []v1beta1.PortSpec{{Name: "http", Port: port}},
		},
	}
	if options.Ready {
		workload.Annotations = map[string]string{v1beta1.ReadyAnnotation: string(metav1.ConditionTrue)}
	}
	return workload
}

// waitForEndpoint reads the Service's slices until one contains the workload.
func waitForEndpoint(ctx context.Context, core kubernetes.Interface, service *corev1.Service, options Options) error {
	var have string
	published := func(ctx context.Context) (bool, error) {
		slices, err := core.DiscoveryV1().EndpointSlices(service.Namespace).List(ctx, metav1.ListOptions{
			LabelSelector: discoveryv1.LabelServiceName + "=" + service.Name,
		})
		if err != nil {
			return false, fmt.Errorf("listing EndpointSlices in namespace %s: %w", service.Namespace, err)
		}
		var done bool
		have, done = inspect(slices.Items, options)
		return done, nil
	}
	err := wait.PollUntilContextTimeout(ctx, interval, options.Timeout, true, published)
	if wait.Interrupted(err) {
		return fmt.Errorf("not published within %s: %s", options.Timeout, have)
	}
	return err
}

// inspect describes the endpoint, and reports whether it is as requested.
func inspect(slices []discoveryv1.EndpointSlice, options Options) (have string, done bool) {
	published := false
	for _, slice := range slices {
		if slice.Labels[discoveryv1.LabelManagedBy] == kubernetesManager {
			continue
		}
		published = true
		for _, endpoint := range slice.Endpoints {
			if len(endpoint.Addresses) != 1 || endpoint.Addresses[0] != options.Address {
				continue
			}
			ready := endpoint.Conditions.Ready != nil && *endpoint.Conditions.Ready
			return "the endpoint is published and not ready; is the controller's readiness part switched on?", ready || !options.Ready
		}
	}
	if !published {
		return "the Service has no EndpointSlice of the controller; is the controller running, does an instance lead, and does it serve this namespace? If it leaves the workload out, an Event of the Service or the workload says why", false
	}
	return "the Service's EndpointSlices lack the workload; its Events say why", false
}

// cleanUp deletes both objects, if they exist.
func cleanUp(ctx context.Context, core kubernetes.Interface, workloads versioned.Interface, service *corev1.Service) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	var errs []error
	if err := workloads.WorkloadV1beta1().ExternalWorkloads(service.Namespace).Delete(ctx, service.Name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		errs = append(errs, fmt.Errorf("deleting ExternalWorkload %s/%s: %w", service.Namespace, service.Name, err))
	}
	if err := core.CoreV1().Services(service.Namespace).Delete(ctx, service.Name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		errs = append(errs, fmt.Errorf("deleting Service %s/%s: %w", service.Namespace, service.Name, err))
	}
	return errors.Join(errs...)
}
