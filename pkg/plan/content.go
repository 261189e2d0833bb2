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

// written is an endpoint of the new content, with the code of its identity.
type written struct {
	endpoint discoveryv1.Endpoint
	code     string
}

// content collects the new content of a slice, and the time of the oldest change in it.
type content struct {
	endpoints []written
	trigger   time.Time
	since     time.Time
}

func (d *draft) newContent(s *slice) content {
	return content{
		endpoints: make([]written, 0, s.kept+len(s.added)),
		trigger:   d.options.Trigger, since: d.options.Since,
	}
}

// addChange records the time of a workload's change, unless it was published before.
func (c *content) addChange(w *desired.Workload) {
	if w.Changed.After(c.since) && (c.trigger.IsZero() || w.Changed.Before(c.trigger)) {
		c.trigger = w.Changed
	}
}

// add applies the action of the endpoint at a position of the slice.
func (c *content) add(s *slice, e *endpoint, position int) {
	switch e.action {
	case Remove:
	case Set, Publish, Announce:
		c.addChange(e.target.Workload)
		next := endpointOf(e.target.Endpoint)
		if e.action == Announce && next.Hints != nil {
			next.Hints.ForZones = nil
		}
		c.endpoints = append(c.endpoints, written{endpoint: next, code: s.codeOf(e, position)})
	case Withdraw:
		c.addChange(e.target.Workload)
		c.endpoints = append(c.endpoints, written{endpoint: withdrawn(e.actual), code: unknownCode})
	case Keep:
		if e.actual == nil {
			return
		}
		code := unknownCode
		if s.recordsIdentity(position, e.actual, e.target.Workload) {
			code = e.target.Workload.Identity
		}
		c.endpoints = append(c.endpoints, written{endpoint: carriedOver(e.actual), code: code})
	}
}

// codeOf returns the code to record for an endpoint that becomes what is desired. For
// one that is not ready it is unknown unless it was recorded before: clients have not
// learned that identity here, so that in a recovery it waits like a new one.
func (s *slice) codeOf(e *endpoint, position int) string {
	w := e.target.Workload
	if !e.target.ReadyNow() && (e.actual == nil || !s.recordsIdentity(position, e.actual, w)) {
		return unknownCode
	}
	return w.Identity
}

// addAll applies the actions of all endpoints of a slice.
func (c *content) addAll(s *slice) {
	for i := range s.endpoints {
		c.add(s, &s.endpoints[i], i)
	}
	for i := range s.added {
		c.add(s, &s.added[i], none)
	}
}

// updateWrite returns the update of an actual slice.
func (d *draft) updateWrite(s *slice) Write {
	object := s.actual
	c := d.newContent(s)
	c.addAll(s)
	next := &discoveryv1.EndpointSlice{ObjectMeta: object.ObjectMeta, AddressType: object.AddressType, Ports: object.Ports}
	w := Write{Operation: Update, Slice: next, Changes: s.changes()}
	if s.usable {
		next.Labels = d.desired.Labels
		if !hasOwner(object, d.desired.Service) {
			next.OwnerReferences = append(otherOwners(object.OwnerReferences, d.desired.Service), ownerReference(d.desired.Service))
		}
	}
	switch {
	case s.ports == portsExtend || s.ports == portsSwitch:
		next.Ports, w.Reason = d.desired.Families[s.family].Groups[s.group], PortsChanged
	case (s.group == none || s.ports.pending()) && refusedPorts(next.Ports):
		next.Ports = nil
	}
	if w.Reason == AsDesired && s.metadata {
		w.Reason = MetadataChanged
	}
	c.finish(next)
	w.Trigger = c.trigger
	return w
}

// createWrite returns the creation of a new slice.
func (d *draft) createWrite(s *slice, name string) Write {
	service := d.desired.Service
	family := &d.desired.Families[s.family]
	c := d.newContent(s)
	c.addAll(s)
	next := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:       service.Namespace,
			Name:            name,
			GenerateName:    generateName(service),
			Labels:          d.desired.Labels,
			OwnerReferences: []metav1.OwnerReference{ownerReference(service)},
		},
		AddressType: family.AddressType,
		Ports:       family.Groups[s.group],
	}
	c.finish(next)
	return Write{Operation: Create, Slice: next, Trigger: c.trigger, Changes: s.changes()}
}

// finish sets the content of a slice, sorted by the workloads' names.
func (c *content) finish(next *discoveryv1.EndpointSlice) {
	slices.SortStableFunc(c.endpoints, func(a, b written) int {
		return strings.Compare(a.endpoint.TargetRef.Name, b.endpoint.TargetRef.Name)
	})
	next.Endpoints = make([]discoveryv1.Endpoint, len(c.endpoints))
	var codes strings.Builder
	codes.Grow(len(c.endpoints) * codeLength)
	for i := range c.endpoints {
		next.Endpoints[i] = c.endpoints[i].endpoint
		codes.WriteString(c.endpoints[i].code)
	}
	ours := map[string]string{IdentitiesAnnotation: codes.String()}
	if !c.trigger.IsZero() {
		ours[corev1.EndpointsLastChangeTriggerTime] = c.trigger.UTC().Format(time.RFC3339Nano)
	}
	all := maps.Clone(next.Annotations)
	delete(all, corev1.EndpointsLastChangeTriggerTime)
	if len(all) == 0 {
		next.Annotations = ours
		return
	}
	maps.Copy(all, ours)
	if refusedAnnotations(all) {
		all = ours
	}
	next.Annotations = all
}

// endpointOf returns an endpoint as it is desired now.
func endpointOf(t *desired.Endpoint) discoveryv1.Endpoint {
	e := discoveryv1.Endpoint{
		Addresses: []string{t.Address},
		Conditions: discoveryv1.EndpointConditions{
			Ready:       new(t.ReadyNow()),
			Serving:     new(t.ServingNow()),
			Terminating: new(t.Terminating),
		},
		TargetRef: &corev1.ObjectReference{
			Kind:      workloadKind,
			Namespace: t.Workload.Namespace,
			Name:      t.Workload.Name,
			UID:       t.Workload.UID,
		},
	}
	switch t.Zone {
	case "":
	case t.Workload.Zone:
		e.Zone = &t.Workload.Zone // it never changes, while the target's memory is used again
	default:
		e.Zone = new(t.Zone)
	}
	if t.Hostname != "" {
		e.Hostname = &t.Workload.Name
	}
	zone, node := t.HintsNow()
	if zone != "" || node != "" {
		e.Hints = &discoveryv1.EndpointHints{}
	}
	if zone != "" {
		e.Hints.ForZones = []discoveryv1.ForZone{{Name: zone}}
	}
	if node != "" {
		e.Hints.ForNodes = []discoveryv1.ForNode{{Name: node}}
	}
	return e
}

// withdrawn returns an endpoint that gets no traffic. All other values stay, so that
// the write changes nothing else.
func withdrawn(e *discoveryv1.Endpoint) discoveryv1.Endpoint {
	next := carriedOver(e)
	next.Conditions.Ready, next.Conditions.Serving = new(false), new(false)
	next.Hints = nil
	return next
}

// ownerReference returns the reference that makes the Service the slice's controller.
func ownerReference(service *corev1.Service) metav1.OwnerReference {
	return *metav1.NewControllerRef(service, corev1.SchemeGroupVersion.WithKind("Service"))
}

// otherOwners returns the owners besides the Service.
func otherOwners(owners []metav1.OwnerReference, service *corev1.Service) []metav1.OwnerReference {
	var rest []metav1.OwnerReference
	for i := range owners {
		if owners[i].UID != service.UID {
			rest = append(rest, owners[i])
		}
	}
	return rest
}
