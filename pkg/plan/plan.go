package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/external-workload/controller/pkg/desired"
)

// Operation is the kind of a Write.
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
	// Slice is the whole object to create or update, or the actual object to delete,
	// with the UID and resourceVersion of the object from which the plan was made. It
	// shares memory with that object and must not be changed.
	Slice *discoveryv1.EndpointSlice
	// After are the indexes in Plan.Writes, all lower than this write's, of the writes
	// that must succeed before this one is made.
	After []int
	// Trigger is the time of the oldest change that the write publishes; zero
	// if it is not known.
	Trigger time.Time
	// Reason is the reason for a change other than of endpoints, or AsDesired.
	Reason Reason
	// Changes are the endpoints that change.
	Changes []Change
}

// Withdraws reports whether the write takes endpoints away from clients.
func (w *Write) Withdraws() bool {
	return slices.ContainsFunc(w.Changes, func(c Change) bool {
		return c.Action == Withdraw || c.Action == Remove || c.Reason == BecameUnready
	})
}

// Change is the change of one endpoint.
type Change struct {
	// Workload is the name of the endpoint's workload, or empty.
	Workload string
	Address  string
	Action   Action
	Reason   Reason
}

// Waiting is an endpoint that a later step will change.
type Waiting struct {
	// Slice is the name of the endpoint's slice, or empty if that has yet to be
	// created.
	Slice string
	Change
}

// Plan is the next step to the desired state. The zero Plan does nothing.
type Plan struct {
	// Writes are in the order in which they should start: withdrawals and deletions
	// first. They depend on each other only by After; the others continue if one fails.
	Writes []Write
	// Waiting are the endpoints that differ from the desired state also after this
	// step.
	Waiting []Waiting
	// StepsLeft is the minimum number of steps after these writes, once workloads have
	// settled and consumers have recovered.
	StepsLeft int
	// Recovering is true if something waits for the recovery of consumers.
	Recovering bool
}

// Empty reports whether there is nothing to do.
func (p *Plan) Empty() bool { return len(p.Writes) == 0 }

// More reports whether another step follows as soon as these writes are done.
func (p *Plan) More() bool { return p.StepsLeft > 0 }

// String lists the writes, each with its dependencies, changes and reasons.
func (p *Plan) String() string {
	var b strings.Builder
	for i := range p.Writes {
		w := &p.Writes[i]
		fmt.Fprintf(&b, "%d. %s %s", i+1, w.Operation, w.Slice.Name)
		for j, after := range w.After {
			b.WriteString([...]string{" after ", ", "}[min(j, 1)])
			fmt.Fprint(&b, after+1)
		}
		if w.Reason != AsDesired {
			fmt.Fprintf(&b, ": %s", w.Reason)
		}
		b.WriteByte('\n')
		for _, c := range w.Changes {
			fmt.Fprintf(&b, "   %s\n", c)
		}
	}
	for _, w := range p.Waiting {
		fmt.Fprintf(&b, "later: %s\n", w)
	}
	if p.StepsLeft > 0 {
		fmt.Fprintf(&b, "steps left: %d\n", p.StepsLeft)
	}
	return b.String()
}

// String describes the change in one line, like "withdraw a@192.0.2.1: address
// changed".
func (c Change) String() string {
	return fmt.Sprintf("%s %s@%s: %s", c.Action, c.Workload, c.Address, c.Reason)
}

// String describes the wait in one line, like "a@192.0.2.1 in web-1 waits for ...".
func (w Waiting) String() string {
	where := "a new slice"
	if w.Slice != "" {
		where = w.Slice
	}
	return fmt.Sprintf("%s@%s in %s %s", w.Workload, w.Address, where, w.Reason)
}

// Options are further inputs of a plan.
type Options struct {
	// MaxEndpoints is the maximum number of endpoints per slice.
	MaxEndpoints int
	// NamesTaken is the number of names for new slices that other objects already have;
	// they are skipped.
	NamesTaken int
	// Trigger is when the oldest change was observed that no endpoint shows, such as a
	// change of the Service or the removal of a workload; zero if there is none.
	Trigger time.Time
	// Since is when the Service was last in its desired state. Earlier changes of
	// endpoints have been published.
	Since time.Time
	// Failed are the slices whose last write failed, and when. They come last where
	// slices are changed one at a time, so that a slice that is always refused does not
	// block others.
	Failed map[types.UID]time.Time
	// Recovering is true while consumers may not have received the last writes, because
	// watches were interrupted. Writes that are safe only after an earlier one wait
	// until then.
	Recovering bool
}

// Compute plans the next step from the actual slices to the desired state. The slices
// are all that this controller manages for the Service of that name, including slices
// whose owner is an earlier Service of that name. It changes neither argument.
func Compute(state *desired.State, actual []*discoveryv1.EndpointSlice, options Options) Plan {
	var p Planner
	return p.Compute(state, actual, options)
}

// Planner is memory that is reused from plan to plan. It is not safe for concurrent
// use. Plans do not share its memory.
type Planner struct{ draft draft }

// Compute is like the function Compute, with reused memory.
func (p *Planner) Compute(state *desired.State, actual []*discoveryv1.EndpointSlice, options Options) Plan {
	d := &p.draft
	defer d.release()
	d.begin(state, options)
	d.read(actual)
	d.holdExtensions()
	d.decide()
	d.place()

	apply(d.vetoTooMany())
	apply(d.vetoUnrecovered())
	vetoes, waiting := d.vetoPublications()
	apply(vetoes)
	apply(d.vetoPortChanges())
	apply(d.vetoLoss())
	apply(d.vetoMixedWrites(waiting))
	apply(d.vetoFormerAddresses())

	d.depend(waiting)
	return d.plan()
}

// draft is a plan that is being made.
type draft struct {
	desired *desired.State
	options Options
	slices  []slice
	// targets are the desired endpoints of each family, in the State's order.
	targets [][]target

	// Reused memory.
	endpoints []endpoint
	tally     []int32
	unplaced  []unplaced
	published []publication
}

// begin resets the draft and sets the desired state.
func (d *draft) begin(state *desired.State, options Options) {
	d.desired, d.options = state, options
	for len(d.targets) < len(state.Families) {
		d.targets = append(d.targets, nil)
	}
	for f := range state.Families {
		list := d.targets[f][:0]
		for i := range state.Families[f].Endpoints {
			list = append(list, target{Endpoint: &state.Families[f].Endpoints[i]})
		}
		d.targets[f] = list
	}
}

// release drops all references to objects, so that the reused memory does not keep them
// alive.
func (d *draft) release() {
	clear(d.slices)
	clear(d.endpoints)
	clear(d.unplaced)
	clear(d.published)
	for f := range d.targets {
		clear(d.targets[f])
		d.targets[f] = d.targets[f][:0]
	}
	d.slices, d.unplaced, d.published, d.desired = d.slices[:0], d.unplaced[:0], d.published[:0], nil
}
