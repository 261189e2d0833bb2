package oracle

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// pollInterval is the interval between comparisons of Wait.
const pollInterval = 100 * time.Millisecond

// Cluster is an API server from which the oracle reads everything each time, without a cache.
type Cluster struct {
	kube    kubernetes.Interface
	objects dynamic.Interface
}

// NewCluster returns a Cluster with a client configuration.
func NewCluster(config *rest.Config) (*Cluster, error) {
	config = rest.CopyConfig(config)
	config.QPS = -1
	kube, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("making the oracle's client: %w", err)
	}
	objects, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("making the oracle's client: %w", err)
	}
	return &Cluster{kube: kube, objects: objects}, nil
}

// Differences compares the actual slices with the desired ones, in the given namespaces or in
// all. It does not read a consistent snapshot: during writes it may return differences that
// never existed.
func (c *Cluster) Differences(ctx context.Context, rules Rules, namespaces ...string) ([]Difference, error) {
	services, err := c.kube.CoreV1().Services(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing Services: %w", err)
	}
	workloads, err := c.workloads(ctx)
	if err != nil {
		return nil, err
	}
	published, err := c.kube.DiscoveryV1().EndpointSlices(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing EndpointSlices: %w", err)
	}
	outside := func(namespace string) bool { return len(namespaces) > 0 && !slices.Contains(namespaces, namespace) }
	inServices := slices.DeleteFunc(services.Items, func(s corev1.Service) bool { return outside(s.Namespace) })
	inSlices := slices.DeleteFunc(published.Items, func(s discoveryv1.EndpointSlice) bool { return outside(s.Namespace) })
	return Compare(rules, Compute(rules, inServices, workloads), inSlices), nil
}

// workloads reads all ExternalWorkloads that can be decoded. The others cannot be published.
func (c *Cluster) workloads(ctx context.Context) ([]v1beta1.ExternalWorkload, error) {
	version := v1beta1.GroupVersion
	resource := schema.GroupVersionResource{Group: version.Group, Version: version.Version, Resource: "externalworkloads"}
	stored, err := c.objects.Resource(resource).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing ExternalWorkloads: %w", err)
	}
	workloads := make([]v1beta1.ExternalWorkload, 0, len(stored.Items))
	for i := range stored.Items {
		var workload v1beta1.ExternalWorkload
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(stored.Items[i].Object, &workload); err != nil {
			continue
		}
		workloads = append(workloads, workload)
	}
	return workloads, nil
}

// Wait returns when nothing differs, or when ctx ends, with the remaining differences as an
// error.
func (c *Cluster) Wait(ctx context.Context, rules Rules, namespaces ...string) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	var last error
	for {
		differences, err := c.Differences(ctx, rules, namespaces...)
		switch {
		case err == nil && len(differences) == 0:
			return nil
		case err == nil:
			last = fmt.Errorf("%d differences:\n%s", len(differences), Text(differences))
		case ctx.Err() == nil:
			last = err
		}
		select {
		case <-ctx.Done():
			return last
		case <-ticker.C:
		}
	}
}
