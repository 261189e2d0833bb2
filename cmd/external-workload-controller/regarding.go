package main

import (
	"context"
	"os"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
)

// What the chart tells a Pod of itself, by the downward API.
const (
	podNameVariable      = "POD_NAME"
	podNamespaceVariable = "POD_NAMESPACE"
	podUIDVariable       = "POD_UID"
)

// holdRegarding returns what finds the object that Events about a hold regard:
// the Lease; without leader election the Pod; nil where there is neither.
func holdRegarding(o *options, clients *clients) func(context.Context) runtime.Object {
	if !o.election.enabled {
		return func(context.Context) runtime.Object { return thisPod() }
	}
	return func(ctx context.Context) runtime.Object {
		namespace := leaseNamespace(o, clients)
		lease, err := clients.ungated.CoordinationV1().Leases(namespace).Get(ctx, o.election.name, metav1.GetOptions{})
		if err != nil {
			// The name alone regards it well enough.
			return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: o.election.name}}
		}
		return lease
	}
}

// thisPod returns the Pod that this process runs in; nil if nothing tells.
func thisPod() runtime.Object {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Name:      os.Getenv(podNameVariable),
		Namespace: os.Getenv(podNamespaceVariable),
		UID:       types.UID(os.Getenv(podUIDVariable)),
	}}
	if pod.Name == "" || pod.Namespace == "" {
		return nil
	}
	return pod
}

// leaseNamespace returns the namespace of this program's Lease.
func leaseNamespace(o *options, clients *clients) string {
	if o.election.namespace != "" {
		return o.election.namespace
	}
	return clients.namespace
}
