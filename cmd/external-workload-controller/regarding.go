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

// Environment variables that the chart sets by the downward API.
const (
	podNameVariable      = "POD_NAME"
	podNamespaceVariable = "POD_NAMESPACE"
	podUIDVariable       = "POD_UID"
)

// holdRegarding returns a function that finds the object of Events about a hold: the
// Lease, or the Pod without leader election; nil if there is neither.
func holdRegarding(o *options, clients *clients) func(context.Context) runtime.Object {
	if !o.election.enabled {
		return func(context.Context) runtime.Object { return thisPod() }
	}
	return func(ctx context.Context) runtime.Object {
		namespace := leaseNamespace(o, clients)
		lease, err := clients.ungated.CoordinationV1().Leases(namespace).Get(ctx, o.election.name, metav1.GetOptions{})
		if err != nil {
			// The name is enough for an Event.
			return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: o.election.name}}
		}
		return lease
	}
}

// thisPod returns the Pod of this process; nil if unknown.
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
