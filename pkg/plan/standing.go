package plan

import (
	"cmp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/external-workload/controller/pkg/desired"
)

// none stands for no slice, endpoint, family or group.
const none = -1

// workloadKind is the kind that our endpoints' targetRef names.
const workloadKind = "ExternalWorkload"

// standing is a slice that stands, and what becomes of it.
type standing struct {
	object *discoveryv1.EndpointSlice
	// family is its address family's index in the wanted State, or none.
	family int
	// group is the wanted ports' index in that family, or none.
	group int32
	// first is the index of its first endpoint in Planner.matches and actions.
	first int
	// usable is false for slices that another object owns or that are being
	// deleted: their endpoints have to go.
	usable bool
	// identities is the record of IdentitiesAnnotation, if recorded.
	identities string
	recorded   bool
	// ports tells how the slice's ports change.
	ports portChange
	// added are the endpoints placed here, as indexes of the family's endpoints.
	added []int32
	// kept is how many endpoints stay.
	kept int
	// early is true for a slice that is written in the first phase, since others wait for it.
	early bool
	// dirty is true for a slice that has to be written.
	dirty bool
}

// portChange is how the ports of a slice become those of its group.
type portChange int

const (
	// portsStay: they are the same.
	portsStay portChange = iota
	// portsExtend: no port that both have changes.
	portsExtend
	// portsSwitch: they change, and no endpoint stands ready on the old ones.
	portsSwitch
	// portsWait: they change, and endpoints stand ready on the old ones.
	portsWait
)

// place is where an endpoint stands.
type place struct{ slice, position int32 }

var nowhere = place{none, none}

// home is where a wanted endpoint is to remain.
type home struct {
	place
	// ready tells whether it stands ready there.
	ready bool
	// copies is in how many places of its family it stands ready.
	copies int
}

// endpoints are the slice's endpoints as they stand.
func (s *standing) endpoints() []discoveryv1.Endpoint { return s.object.Endpoints }

// view takes in the standing slices, sorted by name, and finds for each of
// their endpoints the one that is wanted for the same workload.
func (p *Planner) view(have []*discoveryv1.EndpointSlice) {
	p.slices, p.matches = p.slices[:0], p.matches[:0]
	for _, object := range have {
		p.slices = append(p.slices, standing{object: object, family: p.familyOf(object), group: none})
	}
	slices.SortFunc(p.slices, func(a, b standing) int {
		return cmp.Or(strings.Compare(a.object.Name, b.object.Name), strings.Compare(string(a.object.UID), string(b.object.UID)))
	})
	for i := range p.slices {
		s := &p.slices[i]
		s.first = len(p.matches)
		s.identities, s.recorded = s.object.Annotations[IdentitiesAnnotation]
		s.usable = s.family != none && s.object.DeletionTimestamp == nil && ownedBy(s.object, p.want.Service)
		p.match(s)
		if s.usable {
			p.chooseGroup(s)
		}
	}
}

// familyOf is the index of the slice's address family in the wanted State.
func (p *Planner) familyOf(object *discoveryv1.EndpointSlice) int {
	for i := range p.want.Families {
		if p.want.Families[i].AddressType == object.AddressType {
			return i
		}
	}
	return none
}

// ownedBy tells whether the Service owns the slice, or no other object does.
func ownedBy(object *discoveryv1.EndpointSlice, service *corev1.Service) bool {
	for i := range object.OwnerReferences {
		if owner := &object.OwnerReferences[i]; owner.Controller != nil && *owner.Controller {
			return owner.UID == service.UID
		}
	}
	return true
}

// match finds the wanted endpoint for each endpoint of a slice. Slices are
// mostly written in the order of names, so the one after the last match is
// tried first.
func (p *Planner) match(s *standing) {
	endpoints := s.endpoints()
	if s.family == none {
		for range endpoints {
			p.matches = append(p.matches, none)
		}
		return
	}
	wanted, next := p.want.Families[s.family].Endpoints, 0
	for i := range endpoints {
		found := int32(none)
		if name, valid := workloadOf(&endpoints[i], p.want.Service.Namespace); valid {
			if next >= len(wanted) || wanted[next].Workload.Name != name {
				next, valid = slices.BinarySearchFunc(wanted, name, compareName)
			}
			if valid {
				found = int32(next)
				next++
			}
		}
		p.matches = append(p.matches, found)
	}
}

func compareName(e desired.Endpoint, name string) int { return strings.Compare(e.Workload.Name, name) }

// workloadOf is the name of the workload that an endpoint stands for. Only an
// endpoint with one address and a full targetRef counts: any other was not
// written by us, and clients misread it.
func workloadOf(e *discoveryv1.Endpoint, namespace string) (string, bool) {
	ref := e.TargetRef
	if ref == nil || ref.Kind != workloadKind || ref.Namespace != namespace || len(e.Addresses) != 1 {
		return "", false
	}
	return ref.Name, true
}

// chooseGroup decides which of the wanted sets of ports the slice is to have:
// the one it has; or if nobody wants that, the one that most of its endpoints
// are to have.
func (p *Planner) chooseGroup(s *standing) {
	groups := p.want.Families[s.family].Groups
	ports := desired.Ports(s.object.Ports)
	for g, wanted := range groups {
		if wanted.Equal(ports) {
			s.group = int32(g)
			return
		}
	}
	s.group = p.commonGroup(s, len(groups))
	switch {
	case s.group == none:
	case groups[s.group].Extends(ports):
		s.ports = portsExtend
	case anyReady(s.endpoints()):
		s.ports = portsWait
	default:
		s.ports = portsSwitch
	}
}

// commonGroup is the group that most of the slice's endpoints are to have.
func (p *Planner) commonGroup(s *standing, groups int) int32 {
	p.tally = slices.Grow(p.tally[:0], groups)[:groups]
	clear(p.tally)
	best := int32(none)
	for _, m := range p.matches[s.first : s.first+len(s.endpoints())] {
		if m == none {
			continue
		}
		g := p.want.Families[s.family].Endpoints[m].Group
		p.tally[g]++
		if best == none || p.tally[g] > p.tally[best] || p.tally[g] == p.tally[best] && g < best {
			best = g
		}
	}
	return best
}

// standsReady tells whether clients send traffic to an endpoint. They take an
// absent condition for true.
func standsReady(e *discoveryv1.Endpoint) bool {
	return e.Conditions.Ready == nil || *e.Conditions.Ready
}

func anyReady(endpoints []discoveryv1.Endpoint) bool {
	for i := range endpoints {
		if standsReady(&endpoints[i]) {
			return true
		}
	}
	return false
}
