package plantest

import (
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/external-workload/controller/internal/plantest/consumers"
	"github.com/external-workload/controller/internal/plantest/sliceapi"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// The watches of Linkerd's destination service.
const (
	watchServices = iota
	watchSlices
	watchWorkloads
	watches
)

const (
	// maxLag is the maximum delay of a watch in milliseconds. It is less than the time for
	// which new workloads are held.
	maxLag = 95
	// writeTime is the duration of a write.
	writeTime = 2 * time.Millisecond
	// startTime is the time from a controller's start to its first step.
	startTime = 150 * time.Millisecond
	// recoveryTime is the maximum time until consumers have listed again.
	recoveryTime = 5 * time.Second
	// longTime is long enough for all events to arrive.
	longTime = time.Minute
)

// clock is the time of a history.
type clock struct {
	now time.Time
	// interrupted is the time of the last interruption of watches.
	interrupted time.Time
}

// laggard delays events to Linkerd's destination service, by its own time for each watch.
// The watches are independent, so the order of events of different kinds is lost. After an
// interruption the destination service lists again, and sees only the last of several
// writes.
type laggard struct {
	player *player
	// lags are the current delays of the watches in milliseconds.
	lags [watches]uint8
	// queues hold the undelivered events of each watch, in order.
	queues [watches][]delivery
	// listAt is the time at which each watch lists again; zero while it is connected.
	listAt [watches]time.Time

	// seen, known and service are the caches of the destination service: the slices, the
	// identities, and the UID of the Service.
	seen    map[string]*discoveryv1.EndpointSlice
	known   map[string]consumers.Identity
	service *corev1.Service
	retryAt time.Time
}

// delivery is an undelivered event.
type delivery struct {
	at    time.Time
	event func()
}

func (l *laggard) start(p *player) {
	l.player, l.seen, l.known = p, map[string]*discoveryv1.EndpointSlice{}, map[string]consumers.Identity{}
}

// listedAfter returns the time from an interruption until each watch lists again.
func (o Operation) listedAfter() [watches]time.Duration {
	part := func(choice int) time.Duration { return recoveryTime * time.Duration(choice%256) / 257 }
	return [watches]time.Duration{part(o.A), part(o.B), part(int(o.Order))}
}

// interrupt breaks all watches. Undelivered events still arrive: a consumer lags because
// it is slow. The controller's writes fail, and it lists at once.
func (p *player) interrupt(o Operation) {
	p.pending, p.settled = nil, false
	p.clock.interrupted = p.clock.now
	for watch, after := range o.listedAfter() {
		p.listAt[watch] = p.clock.now.Add(after)
	}
}

// view returns what the controller reads now. Without lag, everything has settled.
func (p *player) view(service *corev1.Service, workloads []*v1beta1.ExternalWorkload, stored []*discoveryv1.EndpointSlice) View {
	v := View{Now: p.clock.now, Service: service, Workloads: workloads, Slices: stored}
	if !p.setup.Lagging {
		v.Now = v.Now.Add(longTime)
	} else if !p.clock.interrupted.IsZero() {
		v.InterruptedAt, v.RecoveredAt = p.clock.interrupted, p.clock.interrupted.Add(recoveryTime)
	}
	return v
}

// see shows the controller all objects.
func (p *player) see() {
	v := p.view(p.world.service, p.world.workloads, nil)
	v.Now = p.clock.now
	p.controller.See(v)
}

// planLater plans the next step, now or at the time that the controller gives.
func (p *player) planLater(step int) bool {
	// The second order is the reverse of the first.
	order := uint8(0)
	if step%2 == 1 {
		order = reversed
	}
	for !p.plan(order) {
		if p.retryAt.IsZero() || p.result.Violation != "" {
			return false
		}
		if !p.retryAt.After(p.clock.now) {
			p.fail("the controller asks for a step at a time that has passed")
			return false
		}
		p.pass(p.retryAt.Sub(p.clock.now))
	}
	return true
}

// catchUp lets all events arrive.
func (p *player) catchUp() { p.pass(longTime) }

// pass lets time pass and events arrive.
func (p *player) pass(d time.Duration) {
	if !p.setup.Lagging {
		return
	}
	end := p.clock.now.Add(d)
	for {
		watch, at := p.nextEvent()
		if watch == none || at.After(end) {
			break
		}
		if at.Equal(p.listAt[watch]) {
			p.listAt[watch] = time.Time{}
			for len(p.queues[watch]) > 0 {
				p.deliver(watch)
			}
			p.list(watch)
			continue
		}
		p.deliver(watch)
	}
	p.clock.now = end
}

// deliver lets the first event on a watch arrive.
func (l *laggard) deliver(watch int) {
	next := l.queues[watch][0]
	l.queues[watch] = l.queues[watch][1:]
	next.event()
}

// none means that there is no watch.
const none = -1

// nextEvent returns the watch with the next event, and its time.
func (l *laggard) nextEvent() (watch int, at time.Time) {
	watch = none
	for w := range watches {
		due := l.listAt[w]
		if queue := l.queues[w]; len(queue) > 0 && (due.IsZero() || queue[0].at.Before(due)) {
			due = queue[0].at
		}
		if !due.IsZero() && (watch == none || due.Before(at)) {
			watch, at = w, due
		}
	}
	return watch, at
}

// send sends an event on a watch, unless it is interrupted.
func (l *laggard) send(watch int, event func()) {
	if !l.player.setup.Lagging {
		event()
		return
	}
	if !l.listAt[watch].IsZero() {
		return
	}
	at := l.player.clock.now.Add(time.Duration(l.lags[watch]) * time.Millisecond)
	if queue := l.queues[watch]; len(queue) > 0 && at.Before(queue[len(queue)-1].at) {
		at = queue[len(queue)-1].at
	}
	l.queues[watch] = append(l.queues[watch], delivery{at, event})
}

// wrote sends a write of a slice.
func (l *laggard) wrote(write sliceapi.Write) {
	l.send(watchSlices, func() { l.player.linkerd.Observe(write.Previous, write.Current); l.keep(write) })
}

// keep applies a write to the cache of slices.
func (l *laggard) keep(write sliceapi.Write) {
	if write.Current == nil {
		delete(l.seen, write.Previous.Name)
		return
	}
	l.seen[write.Current.Name] = write.Current
}

// sendChanges sends what users changed.
func (l *laggard) sendChanges(before, after *world) {
	if !l.player.setup.Lagging {
		return
	}
	if old, now := before.service, after.service; old != nil && (now == nil || now.UID != old.UID) {
		l.send(watchServices, l.forget)
	}
	if now := after.service; now != before.service {
		l.send(watchServices, func() { l.service = now })
	}
	l.send(watchWorkloads, func() { l.learn(after.workloads) })
}

// forget handles the deletion of the Service.
func (l *laggard) forget() {
	l.service = nil
	l.player.linkerd.ServiceDeleted()
}

// learn adds workloads to the cache.
func (l *laggard) learn(workloads []*v1beta1.ExternalWorkload) {
	clear(l.known)
	for _, workload := range workloads {
		l.known[workload.Name] = identityOf(workload)
	}
}

// list compares the cache of a watch with the objects. It handles existing objects first
// and then deleted ones.
func (l *laggard) list(watch int) {
	p := l.player
	switch watch {
	case watchServices:
		if now := p.world.service; now != nil || l.service == nil {
			l.service = now // another object of the same name is a change, not a deletion
		} else {
			l.forget()
		}
	case watchWorkloads:
		l.learn(p.world.workloads)
	case watchSlices:
		gone := maps.Clone(l.seen)
		for _, slice := range p.api.List() {
			delete(gone, slice.Name)
			if before := l.seen[slice.Name]; before == nil || before.ResourceVersion != slice.ResourceVersion {
				p.linkerd.Observe(before, slice)
				l.seen[slice.Name] = slice
			}
		}
		for _, name := range slices.Sorted(maps.Keys(gone)) {
			p.linkerd.Observe(gone[name], nil)
			delete(l.seen, name)
		}
	}
}
