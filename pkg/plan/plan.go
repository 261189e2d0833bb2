package plan

import (
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/external-workload/controller/pkg/desired"
)

// Operation is what a Write does.
type Operation string

// The operations.
const (
	Create Operation = "create"
	Update Operation = "update"
	Delete Operation = "delete"
)

// Write is one request to the API server.
type Write struct {
	Operation Operation
	// Slice is the whole object to create or update, or the object that stands
	// and is to be deleted. Its UID and resourceVersion are those of the object
	// that the plan was made from. It shares memory with that object and must
	// not be changed.
	Slice *discoveryv1.EndpointSlice
	// Trigger is the time of the oldest change that the write publishes; zero
	// if it is not known.
	Trigger time.Time
}

// Plan is the next step towards what is desired. The zero Plan does nothing.
type Plan struct {
	// Phases are done in order, the writes of one phase in any order or at once.
	Phases [][]Write
	// More tells that another step follows as soon as these writes stand.
	More bool
}

// Empty tells whether there is nothing to do.
func (p *Plan) Empty() bool { return len(p.Phases) == 0 }

// Options are what else bears on a plan.
type Options struct {
	// MaxEndpoints is how many endpoints a slice is filled with at most.
	MaxEndpoints int
	// NamesTaken is how many of the names that new slices would get belong to
	// objects that are not ours; they are passed over.
	NamesTaken int
	// Trigger is when the oldest change was seen that no endpoint shows, such
	// as a change of the Service or the removal of a workload; zero if none was.
	Trigger time.Time
	// Since is when the Service was last in its desired state. Changes of
	// endpoints before that have been published.
	Since time.Time
}

// Compute plans the next step from the slices that stand to what is wanted.
// The slices are all that are ours and belong to the Service of that name,
// whichever object of that name owns them. Neither argument is changed.
func Compute(want *desired.State, have []*discoveryv1.EndpointSlice, options Options) Plan {
	var p Planner
	return p.Compute(want, have, options)
}

// Planner is memory that is used for one plan after another. It must not be
// used by two goroutines at a time. Plans do not share its memory.
type Planner struct {
	want    *desired.State
	options Options

	slices  []standing
	matches []int32
	actions []action
	homes   [][]home
	tally   []int32

	unplaced     []wanted
	publications []publication
	created      []created
	more         bool
}

// Compute is like the function Compute.
func (p *Planner) Compute(want *desired.State, have []*discoveryv1.EndpointSlice, options Options) Plan {
	p.want, p.options, p.more = want, options, false
	p.unplaced, p.publications, p.created = p.unplaced[:0], p.publications[:0], nil

	p.view(have)
	p.holdExtensions()
	p.findHomes()
	p.decide()
	p.place()
	p.orderPublications()
	p.withdrawForPorts()
	p.followDepartures()
	plan := p.writes()
	p.release()
	return plan
}

// release drops all references to objects, which the memory would keep alive.
func (p *Planner) release() {
	clear(p.slices)
	clear(p.unplaced)
	clear(p.publications)
	p.want, p.created = nil, nil
}
