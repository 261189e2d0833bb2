// Package selftest checks an installation from inside the cluster: it makes a
// Service and an ExternalWorkload, waits until the controller that is installed
// publishes the endpoint, and takes both away again.
//
// helm test runs it from the controller's own image, so that a cluster that
// reaches no registry of images can be checked too. It looks only at the API,
// as any consumer would: it must not import the controllers.
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
	// selectorLabel joins the two; its value is the Service's name.
	selectorLabel = "external-workload.io/selftest"
	// port is what the Service and the workload have in common.
	port = 80
	// interval lies between two looks at the slices.
	interval = 100 * time.Millisecond
	// cleanupTimeout bounds the deletions, which run even when the test was cut off.
	cleanupTimeout = 10 * time.Second
)

// Options say what is tested.
type Options struct {
	// Namespace is where the objects are made. The controller must serve it.
	Namespace string
	// Address is the workload's address. Nothing is sent to it.
	Address string
	// Timeout is how long to wait for the endpoint.
	Timeout time.Duration
	// Ready asks that the endpoint becomes ready, which the controller's
	// readiness part has to bring about. Otherwise any endpoint will do.
	Ready bool
}

// Validate names the first option that cannot be.
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

// Run makes the objects, waits for the endpoint, tells on out how long it took,
// and deletes the objects whatever happened. The error says how far it came.
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

// newService is headless, so that it takes no address of the cluster. Its name
// is made here and not by the API server, since its selector holds it too.
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

// waitForEndpoint looks at the Service's slices until the workload is in one.
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

// inspect says what there is, and whether that is what was asked for.
func inspect(slices []discoveryv1.EndpointSlice, options Options) (have string, done bool) {
	if len(slices) == 0 {
		return "the Service has no EndpointSlice; is the controller running, and does it serve this namespace?", false
	}
	for _, slice := range slices {
		for _, endpoint := range slice.Endpoints {
			if len(endpoint.Addresses) != 1 || endpoint.Addresses[0] != options.Address {
				continue
			}
			ready := endpoint.Conditions.Ready != nil && *endpoint.Conditions.Ready
			return "the endpoint is published and not ready; is the controller's readiness part switched on?", ready || !options.Ready
		}
	}
	return "the Service's EndpointSlices lack the workload; its Events say why", false
}

// cleanUp deletes both objects, as far as they are there.
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
