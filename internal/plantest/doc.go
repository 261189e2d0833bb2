// Package plantest tests a planner with random histories of a Service, its workloads
// and its EndpointSlices. It checks after every write what the consumers of the slices
// receive.
//
// A History is a list of operations: changes by users, foreign writes to slices, syncs
// that are interrupted, fail, or run while objects change, and quiet points at which
// the slices must have converged. It records every random choice, so a part of it can
// be played too; Shrink uses that to reduce a failing history. Play is independent of
// the controller: it computes the desired endpoints a second time, simply, from the
// rules, and package consumers has models of the consumers.
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

// Write is one API call that a controller wants to make. An update and a
// deletion carry the UID and resource version that they were decided upon.
type Write struct {
	Verb  sliceapi.Verb
	Slice *discoveryv1.EndpointSlice
	// After are the indexes of the writes that have to succeed before this one.
	After []int
}

// Controller publishes one Service.
type Controller interface {
	// See shows the Service and all workloads whenever they have changed, and when
	// the controller starts.
	See(View)
	// Step decides the next step.
	Step(View) Step
}

// View is what a controller reads. Nothing of it may be changed.
type View struct {
	Now time.Time
	// InterruptedAt is when watches were interrupted last, and RecoveredAt when
	// all consumers have listed again.
	InterruptedAt, RecoveredAt time.Time
	// Service is nil if there is none.
	Service *corev1.Service
	// Workloads are those that its selector matches, ordered by name.
	Workloads []*v1beta1.ExternalWorkload
	// Slices are those that carry the Service's name and ManagedBy, ordered by name.
	Slices []*discoveryv1.EndpointSlice
}

// Step is what a controller does next; nothing if it has no writes.
type Step struct {
	// Writes may be made in any order that After allows, and go on when one that
	// they do not wait for fails.
	Writes []Write
	// More says that another step follows.
	More bool
	// RetryAt, if not zero, is when another step may follow.
	RetryAt time.Time
}

// Proxy is a kube-proxy on one node, for one Service and one address family.
type Proxy interface {
	// Observe records one write. A creation has no previous slice, a deletion
	// no current one.
	Observe(previous, current *discoveryv1.EndpointSlice)
	// Serves calls visit with each socket to which the named port is balanced,
	// and whether that is certain: where two slices disagree about a socket, it
	// is not.
	Serves(port string, visit func(socket consumers.Socket, certain bool))
}

// Setup is what all histories of a run have in common.
type Setup struct {
	// NewController starts a controller that remembers nothing, as after a restart
	// or a change of the leader. What there is it sees before its first step.
	NewController func() Controller
	// Lagging lets time pass, and Linkerd's destination service be behind by a time
	// of its own on each of its watches. Without it, all is seen at once.
	Lagging bool
	// NewProxy makes a kube-proxy on a node in a zone, or in none; nil takes the
	// model of package consumers.
	NewProxy func(family discoveryv1.AddressType, zone string) Proxy
	// MaxEndpoints is how many endpoints the controller puts into one slice.
	MaxEndpoints int
	// DualStack lets Services have two families.
	DualStack bool
	// WithholdSecondFamily is true if the controller publishes a workload with
	// two families as ready in the Service's first family only. Without it,
	// Linkerd is not looked at where Services have two families: its clients
	// hold one address for each workload, regardless of who writes the slices.
	WithholdSecondFamily bool
	// ConsumersOnly leaves out the checks of the writes themselves, so that only
	// what consumers are served can fail.
	ConsumersOnly bool
	// MaxSteps is how many plans in a row may be needed until nothing is left
	// to do, when nothing fails and nothing changes, beside two for each slice,
	// whose ports may change one slice at a time.
	MaxSteps int
}

// What every history is about.
const (
	Namespace   = "default"
	ServiceName = "web"
	ManagedBy   = "linkerd-external-workloads-controller"
)
