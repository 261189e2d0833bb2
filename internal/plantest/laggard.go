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
	// maxLag bounds, in milliseconds, by how much a watch is behind. It is less
	// than the time for which what is new is held.
	maxLag = 95
	// writeTime is how long a write takes.
	writeTime = 2 * time.Millisecond
	// startTime is how long a controller takes from its start to its first step.
	startTime = 150 * time.Millisecond
	// recoveryTime is how long consumers may take to list again.
	recoveryTime = 5 * time.Second
	// longTime is so long that whatever is under way has arrived.
	longTime = time.Minute
)

// clock is the time of a history.
type clock struct {
	now time.Time
	// interrupted is when the watches were interrupted last.
	interrupted time.Time
}

// laggard lets Linkerd's destination service hear of each event only when its
// watch has come so far. The watches know nothing of each other, so the order of
// events of different kinds is lost. After an interruption it lists again, and
// sees only the last of what was written meanwhile.
type laggard struct {
	player *player
	// lags are by how many milliseconds each watch is behind now.
	lags [watches]uint8
	// queues hold what each watch has not delivered, in order.
	queues [watches][]delivery
	// listAt is when each watch lists again; zero while it is connected.
	listAt [watches]time.Time

	// seen are the slices, known the identities and service the UID of the
	// Service that it has in its caches.
	seen    map[string]*discoveryv1.EndpointSlice
	known   map[string]consumers.Identity
	service *corev1.Service
	retryAt time.Time
}

// delivery is an event on its way.
type delivery struct {
	at    time.Time
	event func()
}

func (l *laggard) start(p *player) {
	l.player, l.seen, l.known = p, map[string]*discoveryv1.EndpointSlice{}, map[string]consumers.Identity{}
}

// listedAfter returns how long after an interruption each watch lists again.
func (o Operation) listedAfter() [watches]time.Duration {
	part := func(choice int) time.Duration { return recoveryTime * time.Duration(choice%256) / 257 }
	return [watches]time.Duration{part(o.A), part(o.B), part(int(o.Order))}
}

// interrupt breaks all watches. What was on its way arrives: a consumer is behind
// because it is slow. The controller's writes fail, and it lists at once.
func (p *player) interrupt(o Operation) {
	p.pending, p.settled = nil, false
	p.clock.interrupted = p.clock.now
	for watch, after := range o.listedAfter() {
		p.listAt[watch] = p.clock.now.Add(after)
	}
}

// view returns what the controller reads now. Where nothing lags, all has settled.
func (p *player) view(service *corev1.Service, workloads []*v1beta1.ExternalWorkload, stored []*discoveryv1.EndpointSlice) View {
	v := View{Now: p.clock.now, Service: service, Workloads: workloads, Slices: stored}
	if !p.setup.Lagging {
		v.Now = v.Now.Add(longTime)
	} else if !p.clock.interrupted.IsZero() {
		v.InterruptedAt, v.RecoveredAt = p.clock.interrupted, p.clock.interrupted.Add(recoveryTime)
	}
	return v
}

// see shows the controller what there is.
func (p *player) see() {
	v := p.view(p.world.service, p.world.workloads, nil)
	v.Now = p.clock.now
	p.controller.See(v)
}

// planLater plans the next step, now or when the controller asks for it.
func (p *player) planLater(step int) bool {
	// Of the two orders, one makes first what the other makes last.
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

// pass lets time pass, and events arrive.
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

// none is no watch.
const none = -1

// nextEvent returns the watch on which something happens first, and when.
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

// keep takes a write into the cache of slices.
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

// learn takes workloads into the cache.
func (l *laggard) learn(workloads []*v1beta1.ExternalWorkload) {
	clear(l.known)
	for _, workload := range workloads {
		l.known[workload.Name] = identityOf(workload)
	}
}

// list compares the cache of a watch with what there is. First comes what is
// there, then what is gone.
func (l *laggard) list(watch int) {
	p := l.player
	switch watch {
	case watchServices:
		if now := p.world.service; now != nil || l.service == nil {
			l.service = now // another object of the name is a change, not a deletion
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
