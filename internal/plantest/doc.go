// Package plantest tests a planner with random histories of a Service, its workloads
// and its EndpointSlices. It checks after every write what the consumers of the slices
// receive.
//
// A History is a list of operations: changes by users, foreign writes to slices, syncs
// that are interrupted, fail, or run while objects change, and quiet points at which the
// slices must have converged. It contains every random choice, so Play can also play a
// part of it; Shrink uses this to reduce a failing history. Play is independent of the
// controller: it computes the desired endpoints again with a simple implementation, and
// package consumers has models of the consumers.
//
// The package is test support: shipped code must not import it.
package plantest

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/external-workload/controller/internal/plantest/consumers"
	"github.com/external-workload/controller/internal/plantest/sliceapi"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// Write is one API call of a controller. An update or deletion has the UID and
// resourceVersion of the slice for which it was planned.
type Write struct {
	Verb  sliceapi.Verb
	Slice *discoveryv1.EndpointSlice
	// After has the indexes of the writes that must succeed before this one.
	After []int
}

// Controller publishes one Service.
type Controller interface {
	// See shows the Service and all workloads whenever they have changed, and when
	// the controller starts.
	See(View)
	// Step plans the next step.
	Step(View) Step
}

// View is what a controller reads. Controllers must not change it.
type View struct {
	Now time.Time
	// InterruptedAt is the time of the last interruption of watches, and RecoveredAt the
	// time at which all consumers have listed again.
	InterruptedAt, RecoveredAt time.Time
	// Service is nil if there is none.
	Service *corev1.Service
	// Workloads are the workloads that the selector matches, ordered by name.
	Workloads []*v1beta1.ExternalWorkload
	// Slices are the slices with the Service's name and ManagedBy, ordered by name.
	Slices []*discoveryv1.EndpointSlice
}

// Step is the next step of a controller. Without writes there is nothing to do.
type Step struct {
	// Writes may be made in any order that After allows. A failed write does not stop
	// writes that do not depend on it.
	Writes []Write
	// More is true if another step follows.
	More bool
	// RetryAt is the time at which another step may follow; zero if none.
	RetryAt time.Time
}

// Proxy is a kube-proxy on one node, for one Service and one address family.
type Proxy interface {
	// Observe records one write. A creation has no previous slice, a deletion
	// no current one.
	Observe(previous, current *discoveryv1.EndpointSlice)
	// Serves calls visit with each socket to which the named port is balanced, and whether
	// that is certain. It is not if two slices disagree about the socket.
	Serves(port string, visit func(socket consumers.Socket, certain bool))
}

// Setup holds the settings of all histories of a run.
type Setup struct {
	// NewController starts a controller without state, as after a restart or a change of
	// the leader. It sees all objects before its first step.
	NewController func() Controller
	// Lagging lets time pass, and delays each watch of Linkerd's destination service by its
	// own time. Without it, everything is seen at once.
	Lagging bool
	// NewProxy makes a kube-proxy on a node in a zone, or without a zone. Nil selects the
	// model of package consumers.
	NewProxy func(family discoveryv1.AddressType, zone string) Proxy
	// MaxEndpoints is the maximum number of endpoints in one slice.
	MaxEndpoints int
	// DualStack lets Services have two families.
	DualStack bool
	// WithholdSecondFamily is true if the controller publishes a workload with two families
	// as ready only in the Service's first family. Without it, Linkerd is not checked for
	// Services with two families, because its clients hold one address of each workload.
	WithholdSecondFamily bool
	// ConsumersOnly disables the checks of the writes themselves, so that only the
	// consumers can fail.
	ConsumersOnly bool
	// MaxSteps is the maximum number of consecutive plans until nothing is left to do while
	// nothing fails or changes. Two more are allowed for each slice, because ports change
	// one slice at a time.
	MaxSteps int
}

// The objects of every history.
const (
	Namespace   = "default"
	ServiceName = "web"
	ManagedBy   = "linkerd-external-workloads-controller"
)
