package faults_test

import (
	"context"
	"fmt"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/util/retry"

	"golang.org/x/sync/errgroup"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// newNamespace makes a namespace whose objects are deleted after the test.
func (w *world) newNamespace() string {
	w.Helper()
	name := fmt.Sprintf("test-%d", namespaces.Add(1))
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if _, err := w.kube.CoreV1().Namespaces().Create(w.Context(), namespace, metav1.CreateOptions{}); err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() {
		ctx, all := context.Background(), metav1.ListOptions{}
		services, err := w.kube.CoreV1().Services(name).List(ctx, all)
		if err != nil {
			w.Logf("cleaning up: %v", err)
			return
		}
		for i := range services.Items {
			w.logError(w.kube.CoreV1().Services(name).Delete(ctx, services.Items[i].Name, metav1.DeleteOptions{}))
		}
		w.logError(w.workloads.WorkloadV1beta1().ExternalWorkloads(name).DeleteCollection(ctx, metav1.DeleteOptions{}, all))
		w.logError(w.kube.DiscoveryV1().EndpointSlices(name).DeleteCollection(ctx, metav1.DeleteOptions{}, all))
	})
	return name
}

func (w *world) logError(err error) {
	if err != nil {
		w.Logf("cleaning up: %v", err)
	}
}

func serviceName(i int) string { return fmt.Sprintf("service-%d", i) }

func workloadName(service, i int) string { return fmt.Sprintf("workload-%d-%d", service, i) }

// seed creates Services with a number of ready workloads each, several at a time.
func (w *world) seed(namespace string, services, each int) {
	w.Helper()
	var group errgroup.Group
	group.SetLimit(32)
	for s := range services {
		group.Go(func() error { return w.createService(namespace, serviceName(s), serviceName(s)) })
		for i := range each {
			group.Go(func() error {
				return w.createWorkload(namespace, workloadName(s, i), serviceName(s), fmt.Sprintf("10.%d.%d.%d", s/250, s%250, i+1))
			})
		}
	}
	if err := group.Wait(); err != nil {
		w.Fatal(err)
	}
}

// createService makes a Service that selects app=app.
func (w *world) createService(namespace, name, app string) error {
	return w.createServiceLike(namespace, metav1.ObjectMeta{Name: name}, app)
}

// createServiceLike is createService with given metadata.
func (w *world) createServiceLike(namespace string, metadata metav1.ObjectMeta, app string) error {
	service := &corev1.Service{
		ObjectMeta: metadata,
		Spec: corev1.ServiceSpec{
			ClusterIP: corev1.ClusterIPNone,
			Selector:  map[string]string{"app": app},
			Ports:     []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromString("http")}},
		},
	}
	_, err := w.kube.CoreV1().Services(namespace).Create(w.Context(), service, metav1.CreateOptions{})
	return err
}

// createWorkload makes a ready workload.
func (w *world) createWorkload(namespace, name, app, ip string) error {
	return w.createWorkloadLike(namespace, metav1.ObjectMeta{Name: name}, app, ip)
}

// createWorkloadLike is createWorkload with given metadata.
func (w *world) createWorkloadLike(namespace string, metadata metav1.ObjectMeta, app, ip string) error {
	metadata.Labels = maps.Clone(metadata.Labels)
	if metadata.Labels == nil {
		metadata.Labels = map[string]string{}
	}
	metadata.Labels["app"] = app
	workload := &v1beta1.ExternalWorkload{
		ObjectMeta: metadata,
		Spec: v1beta1.ExternalWorkloadSpec{
			MeshTLS:     v1beta1.MeshTLS{Identity: "spiffe://example.org/" + metadata.Name, ServerName: metadata.Name + ".example.org"},
			WorkloadIPs: []v1beta1.WorkloadIP{{IP: ip}},
			Ports:       []v1beta1.PortSpec{{Name: "http", Port: 8080}},
		},
	}
	client := w.workloads.WorkloadV1beta1().ExternalWorkloads(namespace)
	created, err := client.Create(w.Context(), workload, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	created.Status.Conditions = []v1beta1.WorkloadCondition{{Type: v1beta1.WorkloadReady, Status: v1beta1.ConditionTrue}}
	_, err = client.UpdateStatus(w.Context(), created, metav1.UpdateOptions{})
	return err
}

// flip inverts a workload's readiness and returns the new value.
func (w *world) flip(namespace, name string) bool {
	w.Helper()
	ready, err := w.turn(namespace, name)
	if err != nil {
		w.Fatal(err)
	}
	return ready
}

// turn is flip for other goroutines than the test's.
func (w *world) turn(namespace, name string) (bool, error) {
	ready := false
	client := w.workloads.WorkloadV1beta1().ExternalWorkloads(namespace)
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		workload, err := client.Get(w.Context(), name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		condition := v1beta1.WorkloadCondition{Type: v1beta1.WorkloadReady, Status: v1beta1.ConditionTrue}
		if len(workload.Status.Conditions) > 0 && workload.Status.Conditions[0].Status == v1beta1.ConditionTrue {
			condition.Status = v1beta1.ConditionFalse
		}
		ready = condition.Status == v1beta1.ConditionTrue
		workload.Status.Conditions = []v1beta1.WorkloadCondition{condition}
		_, err = client.UpdateStatus(w.Context(), workload, metav1.UpdateOptions{})
		return err
	})
	return ready, err
}

// turning flips a workload repeatedly until the returned function is called.
func (w *world) turning(namespace, name string, every time.Duration) (stop func()) {
	stopping, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for ticker := w.ticker(every); ; {
			select {
			case <-stopping:
				return
			case <-ticker:
				if _, err := w.turn(namespace, name); err != nil {
					w.Error(err)
				}
			}
		}
	}()
	return func() {
		close(stopping)
		<-stopped
	}
}

// published reports whether the last known slices of the namespace have the workload with
// this readiness.
func (w *world) published(namespace, workload string, ready bool) bool {
	for _, slice := range w.slices(namespace) {
		for _, endpoint := range slice.Endpoints {
			if endpoint.TargetRef != nil && endpoint.TargetRef.Name == workload {
				return endpoint.Conditions.Ready != nil && *endpoint.Conditions.Ready == ready
			}
		}
	}
	return false
}

// slices returns the slices that the history's watch knows, without a request.
func (w *world) slices(namespace string) []*discoveryv1.EndpointSlice {
	w.Helper()
	found, err := w.history.Lister().EndpointSlices(namespace).List(labels.Everything())
	if err != nil {
		w.Fatal(err)
	}
	return found
}
