package plantest

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/external-workload/controller/internal/plantest/sliceapi"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// Result is the result of a played history.
type Result struct {
	// Violation describes the first violation; empty if there was none.
	Violation string
	// Steps is the number of steps that the controller planned.
	Steps int
	// Longest is the maximum number of consecutive plans at a quiet point.
	Longest int
}

// Play plays the history to the end, or to the first violation. A quiet point
// is added at the end. Trace, if set, is called with each operation and write.
func Play(setup *Setup, history History, trace func(line string)) Result {
	p := &player{setup: setup, trace: trace, world: world{dualStack: setup.DualStack}, clock: clock{now: time.Unix(1<<31, 0)}}
	p.start()
	for i, operation := range history {
		if p.trace != nil {
			p.trace(fmt.Sprintf("%3d  %s", i, operation))
		}
		p.play(operation)
		if p.result.Violation != "" {
			return p.result
		}
	}
	p.quiet()
	return p.result
}

// player is the state of one history.
type player struct {
	setup *Setup
	trace func(line string)
	world world
	api   sliceapi.API

	clock      clock
	controller Controller
	pending    []pendingWrite
	failed     map[int]bool // writes of the plan that failed, and those that depend on them
	settled    bool         // the last plan was completed, no other follows it, and nothing has happened since
	result     Result

	observers
	laggard
	record
	ours bool // the next write is the controller's
}

// pendingWrite is a write of a plan that has not been made yet, and its index
// there.
type pendingWrite struct {
	Write
	index int
}

func (p *player) start() {
	p.controller = p.setup.NewController()
	p.laggard.start(p)
	p.observers.start(p.lookup, p.setup.NewProxy)
	p.api.Observe = p.observe
	p.ours = true
}

// restart drops the controller's state and the rest of its step.
func (p *player) restart() {
	p.pass(startTime)
	p.controller, p.pending, p.settled = p.setup.NewController(), nil, false
	p.see()
	p.spoilUnrecorded(p.api.List())
}

// fail keeps the first violation.
func (p *player) fail(format string, arguments ...any) {
	if p.result.Violation == "" {
		p.result.Violation = fmt.Sprintf(format, arguments...)
	}
}

func (p *player) play(o Operation) {
	p.pass(time.Duration(o.Delay) * time.Millisecond)
	p.lags = o.Lags
	switch o.Kind {
	case Interrupt:
		p.interrupt(o)
	case Sync:
		p.sync(o)
	case Adopt:
		p.ours = false
		unmark(&p.api)
		p.ours = true
		p.restart()
	case Restart:
		p.restart()
	case Quiet:
		p.quiet()
	case Tamper:
		p.tamperings++
		p.ours, p.settled = false, false
		tamper(&p.api, o.A, o.B)
		p.ours = true
	default:
		p.settled = false
		if p.setup.Lagging {
			p.world.now = p.clock.now
		}
		before := p.world
		p.world.apply(o)
		p.see()
		p.sendChanges(&before, &p.world)
		p.changed(p.setup, &p.world)
		p.diverged = p.diverged || p.linkerdIsLost()
	}
}

// sync first completes a paused step, then makes the next one.
func (p *player) sync(o Operation) {
	if len(p.pending) > 0 {
		p.write(Operation{Kind: Sync})
	}
	p.plan(o.Order)
	p.write(o)
}

// reversed orders the writes so that the last one that may be made comes first.
const reversed = 0x80

// plan gets the controller's next step and reports whether there is one.
func (p *player) plan(order uint8) bool {
	p.result.Steps++
	service, workloads, stored := p.world.service, p.world.selected(), p.api.List()
	unchanged := p.guard(service, workloads, stored)
	next := p.controller.Step(p.view(service, workloads, stored))
	unchanged()
	writes, more := next.Writes, next.More
	p.retryAt = next.RetryAt
	p.schedule(writes, order)
	if p.settled && len(p.pending) > 0 && !p.setup.ConsumersOnly {
		p.fail("a step follows although the last one said that none does")
	}
	if more && len(p.pending) == 0 && p.retryAt.IsZero() {
		p.fail("an empty step says that another one follows")
	}
	p.settled = !more && p.retryAt.IsZero()
	return len(p.pending) > 0
}

// schedule puts the writes of a plan into one of the allowed orders.
func (p *player) schedule(writes []Write, order uint8) {
	p.failed = map[int]bool{}
	made := map[int]bool{}
	for len(made) < len(writes) {
		before := len(made)
		for i := range writes {
			at := (i + int(order)) % len(writes)
			if order&reversed != 0 {
				at = len(writes) - 1 - i
			}
			if made[at] || slices.ContainsFunc(writes[at].After, func(after int) bool { return !made[after] }) {
				continue
			}
			made[at] = true
			p.pending = append(p.pending, pendingWrite{writes[at], at})
			break
		}
		if len(made) == before {
			p.fail("writes of a plan wait for each other")
			return
		}
	}
}

// guard returns a function that fails if its arguments have changed since. It is
// expensive, so it checks only a few steps.
func (p *player) guard(service *corev1.Service, workloads []*v1beta1.ExternalWorkload, stored []*discoveryv1.EndpointSlice) func() {
	if p.result.Steps%16 != 3 {
		return func() {}
	}
	before := []any{service.DeepCopy()}
	now := []any{service}
	for _, workload := range workloads {
		before, now = append(before, workload.DeepCopy()), append(now, workload)
	}
	for _, slice := range stored {
		before, now = append(before, slice.DeepCopy()), append(now, slice)
	}
	return func() {
		if !reflect.DeepEqual(before, now) {
			p.fail("the controller changed an object of the cache")
		}
	}
}

// write makes the pending writes. After a failure it skips the writes that depend on the
// failed one, or all remaining writes, as if the controller stopped.
func (p *player) write(o Operation) {
	for number := 0; len(p.pending) > 0; number++ {
		if o.Pause > 0 && number == int(o.Pause) {
			p.settled = false
			return
		}
		next := p.pending[0]
		p.pending = p.pending[1:]
		if slices.ContainsFunc(next.After, func(after int) bool { return p.failed[after] }) {
			p.failed[next.index] = true
			continue
		}
		failure := sliceapi.None
		if number == int(o.FaultAt) {
			failure = o.Fault
		}
		if err := p.call(next.Write, failure); err != nil {
			p.settled = false
			if p.trace != nil {
				p.trace("       failed: " + err.Error())
			}
			p.failed[next.index] = true
			if o.Order&3 == 3 {
				p.pending = nil
			}
		}
		if p.result.Violation != "" {
			return
		}
	}
}

// call makes one API call. It may fail because of an injected fault, or because the slices
// changed while the step was paused.
func (p *player) call(write Write, failure sliceapi.Failure) error {
	p.api.Fail = func(sliceapi.Verb, *discoveryv1.EndpointSlice) sliceapi.Failure { return failure }
	defer func() { p.api.Fail = nil }()
	written := p.writes
	slice := write.Slice
	var err error
	switch write.Verb {
	case sliceapi.Create:
		_, err = p.api.Create(slice)
	case sliceapi.Update:
		if slice.ResourceVersion == "" {
			p.fail("an update without a resource version")
		}
		_, err = p.api.Update(slice)
	case sliceapi.Delete:
		if slice.ResourceVersion == "" || slice.UID == "" {
			p.fail("a deletion without preconditions")
		}
		err = p.api.Delete(slice.Name, metav1.Preconditions{UID: &slice.UID, ResourceVersion: &slice.ResourceVersion})
	default:
		p.fail("an unknown operation %q", write.Verb)
	}
	if err == nil && p.writes == written {
		p.fail("an update of slice %s changes nothing", slice.Name)
	}
	p.failOnRefusal(err)
	p.pass(writeTime)
	return err
}

// quiet lets the controller work until nothing is left to do, and then checks the result.
func (p *player) quiet() {
	p.write(Operation{Kind: Sync})
	limit := p.setup.MaxSteps + 2*len(p.api.List())
	for step := 1; p.result.Violation == "" && p.planLater(step); step++ {
		p.result.Longest = max(p.result.Longest, step)
		if step > limit {
			p.fail("no rest after %d steps", limit)
			return
		}
		p.write(Operation{Kind: Sync})
	}
	if p.result.Violation != "" {
		return
	}
	p.catchUp()
	p.checkSlices()
	p.checkConverged()
	p.beginPeriod(p.setup, &p.world)
	if p.diverged {
		p.restartLinkerd(p.api.List())
	}
}
