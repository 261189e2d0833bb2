package plan

import (
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/external-workload/controller/pkg/desired"
)

// writes makes the plan's writes from what was decided.
func (p *Planner) writes() Plan {
	var early, late, deletes []Write
	for at := range p.slices {
		s := &p.slices[at]
		switch {
		case s.kept == 0 && len(s.added) == 0 && len(s.endpoints()) == 0:
			if s.object.DeletionTimestamp == nil {
				deletes = append(deletes, Write{Operation: Delete, Slice: s.object, Trigger: p.options.Trigger})
			}
		case !p.differs(s):
		case s.early:
			early = append(early, p.update(s))
		default:
			late = append(late, p.update(s))
		}
	}
	late = append(late, p.creates()...)
	plan := Plan{More: p.more}
	for _, phase := range [][]Write{early, late, deletes} {
		if len(phase) > 0 {
			plan.Phases = append(plan.Phases, phase)
		}
	}
	return plan
}

// creates makes the new slices. A Service that is being deleted gets none: the
// garbage collector takes its slices away before it goes, and would never end.
func (p *Planner) creates() []Write {
	if len(p.created) == 0 || p.want.Service.DeletionTimestamp != nil {
		return nil
	}
	var writes []Write
	names := p.newNames()
	for i := range p.created {
		if c := &p.created[i]; len(c.added) > 0 {
			writes = append(writes, p.create(c, names.next()))
		}
	}
	return writes
}

// differs tells whether a slice that stands has to be written.
func (p *Planner) differs(s *standing) bool {
	if !s.dirty && len(s.added) == 0 {
		return false
	}
	if len(s.added) > 0 || s.ports == portsExtend || s.ports == portsSwitch || s.usable && !sameMetadata(s.object, p.want) {
		return true
	}
	return slices.ContainsFunc(p.actions[s.first:s.first+len(s.endpoints())], func(act action) bool { return act != keep })
}

// written is an endpoint as it will stand, and the code of its identity.
type written struct {
	endpoint discoveryv1.Endpoint
	code     string
}

// content collects what a slice will hold, and the time of the oldest change in it.
type content struct {
	endpoints []written
	trigger   time.Time
	since     time.Time
}

func (p *Planner) newContent(size int) content {
	return content{endpoints: make([]written, 0, size), trigger: p.options.Trigger, since: p.options.Since}
}

// changed takes a workload's change into account, unless it was published before.
func (c *content) changed(w *desired.Workload) {
	if w.Changed.After(c.since) && (c.trigger.IsZero() || w.Changed.Before(c.trigger)) {
		c.trigger = w.Changed
	}
}

// publish adds an endpoint as it is wanted.
func (c *content) publish(w *desired.Endpoint) {
	c.changed(w.Workload)
	c.endpoints = append(c.endpoints, written{endpoint: endpointOf(w), code: w.Workload.Identity})
}

// update writes a slice that stands.
func (p *Planner) update(s *standing) Write {
	object := s.object
	c := p.newContent(s.kept + len(s.added))
	for i := range object.Endpoints {
		p.apply(&c, s, i)
	}
	for _, m := range s.added {
		c.publish(&p.want.Families[s.family].Endpoints[m])
	}
	if len(c.endpoints) == 0 {
		p.more = true
	}
	next := &discoveryv1.EndpointSlice{ObjectMeta: object.ObjectMeta, AddressType: object.AddressType, Ports: object.Ports}
	if s.usable {
		next.Labels = p.want.Labels
		if !hasOwner(object, p.want.Service) {
			next.OwnerReferences = append(others(object.OwnerReferences, p.want.Service), ownerReference(p.want.Service))
		}
	}
	if s.ports == portsExtend || s.ports == portsSwitch {
		next.Ports = p.want.Families[s.family].Groups[s.group]
	}
	if slices.ContainsFunc(next.Ports, lacksNumber) {
		next.Ports = nil
	}
	c.finish(next)
	return Write{Operation: Update, Slice: next, Trigger: c.trigger}
}

// lacksNumber tells of a port that somebody else wrote and that crashes
// Linkerd's destination service whenever it is written again.
func lacksNumber(port discoveryv1.EndpointPort) bool { return port.Port == nil }

// apply adds to the content what becomes of a standing endpoint.
func (p *Planner) apply(c *content, s *standing, i int) {
	e, act := &s.object.Endpoints[i], p.actions[s.first+i]
	if act == remove {
		return
	}
	w := &p.want.Families[s.family].Endpoints[p.matches[s.first+i]]
	switch act {
	case set, publish:
		c.publish(w)
	case announce:
		c.publish(w)
		c.endpoints[len(c.endpoints)-1].endpoint.Hints = nil
		p.more = true
	case withdraw:
		c.changed(w.Workload)
		c.endpoints = append(c.endpoints, written{endpoint: withdrawn(e), code: unknownCode})
		p.more = true
	default:
		code := unknownCode
		if s.recordsIdentity(i, w.Workload) {
			code = w.Workload.Identity
		}
		c.endpoints = append(c.endpoints, written{endpoint: *e, code: code})
	}
}

// create writes a new slice.
func (p *Planner) create(c *created, name string) Write {
	service := p.want.Service
	family := &p.want.Families[c.family]
	content := p.newContent(len(c.added))
	for _, m := range c.added {
		content.publish(&family.Endpoints[m])
	}
	next := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:       service.Namespace,
			Name:            name,
			GenerateName:    generateName(service),
			Labels:          p.want.Labels,
			OwnerReferences: []metav1.OwnerReference{ownerReference(service)},
		},
		AddressType: family.AddressType,
		Ports:       family.Groups[c.group],
	}
	content.finish(next)
	return Write{Operation: Create, Slice: next, Trigger: content.trigger}
}

// finish puts the content into a slice, sorted by the workloads' names.
func (c *content) finish(next *discoveryv1.EndpointSlice) {
	slices.SortStableFunc(c.endpoints, func(a, b written) int {
		return strings.Compare(a.endpoint.TargetRef.Name, b.endpoint.TargetRef.Name)
	})
	next.Endpoints = make([]discoveryv1.Endpoint, len(c.endpoints))
	var codes strings.Builder
	for i := range c.endpoints {
		next.Endpoints[i] = c.endpoints[i].endpoint
		codes.WriteString(c.endpoints[i].code)
	}
	annotations := maps.Clone(next.Annotations)
	if annotations == nil {
		annotations = make(map[string]string, 2)
	}
	annotations[IdentitiesAnnotation] = codes.String()
	delete(annotations, corev1.EndpointsLastChangeTriggerTime)
	if !c.trigger.IsZero() {
		annotations[corev1.EndpointsLastChangeTriggerTime] = c.trigger.UTC().Format(time.RFC3339Nano)
	}
	next.Annotations = annotations
}
