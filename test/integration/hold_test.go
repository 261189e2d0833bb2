package integration

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"

	"github.com/external-workload/controller/controller/readiness"
	"github.com/external-workload/controller/internal/loopback"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/events"
)

// TestHoldIsSeenInTheCluster makes all probes fail together, and reads the conditions and
// both Events from the API server.
func TestHoldIsSeenInTheCluster(t *testing.T) {
	cluster := startCluster(t, nil)
	core, err := kubernetes.NewForConfig(cluster.AdminConfig())
	if err != nil {
		t.Fatal(err)
	}
	lease, err := core.CoordinationV1().Leases("kube-system").Create(t.Context(), &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "controller"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	recorder := events.NewBroadcaster(core.EventsV1(), "controller")
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	t.Cleanup(cancel)
	if err := recorder.Start(ctx); err != nil {
		t.Fatal(err)
	}
	cluster.runController(t, unobservedReadiness{}, func(config *readiness.Config) {
		config.Events = recorder
		config.HoldRegarding = func(context.Context) runtime.Object { return lease }
	})

	listener := listenOnLoopback(t, loopback.AnyPort())
	names := []string{"vm-0", "vm-1", "vm-2"}
	for _, name := range names {
		cluster.create(t, readinessWorkload(name, map[string]string{v1beta1.ProbeAnnotation: fmt.Sprintf(
			"tcpSocket: {host: %s, port: %d}\nperiodSeconds: 1\nfailureThreshold: 2\n", loopback.Own(), listener.Addr().(*net.TCPAddr).Port)}))
		cluster.waitFor(t, name, "Ready True ProbeSucceeded")
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		cluster.waitFor(t, name, "Ready True ProbeHeld: connection refused")
	}
	awaitHoldEvent(t, core, lease, corev1.EventTypeWarning, "ReadinessHoldBegan")
	_ = listenOnLoopback(t, listener.Addr().String())
	for _, name := range names {
		cluster.waitFor(t, name, "Ready True ProbeSucceeded")
	}
	awaitHoldEvent(t, core, lease, corev1.EventTypeNormal, "ReadinessHoldEnded")
}

// listenOnLoopback listens at an address until the test ends.
func listenOnLoopback(t *testing.T, address string) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}

// awaitHoldEvent waits for an Event about the Lease, which must name no workload.
func awaitHoldEvent(t *testing.T, core kubernetes.Interface, lease *coordinationv1.Lease, eventType, reason string) {
	t.Helper()
	waitUntilTrue(t, "there is an Event "+reason, func() (bool, string) {
		list, err := core.EventsV1().Events(lease.Namespace).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			return false, err.Error()
		}
		var seen []string
		found := slices.ContainsFunc(list.Items, func(event eventsv1.Event) bool {
			seen = append(seen, event.Reason+": "+event.Note)
			if strings.Contains(event.Note, "vm-") || strings.Contains(event.Note, "default") {
				t.Fatalf("an Event in the controller's namespace names a tenant's object: %s", event.Note)
			}
			return event.Reason == reason && event.Type == eventType && event.Regarding.Kind == "Lease" && event.Regarding.UID == lease.UID
		})
		return found, strings.Join(seen, "; ")
	})
}
