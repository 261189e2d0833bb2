package desired

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

// noPorts marks a workload that has none of the Service's ports, or that could
// not be read.
const noPorts = -1

// Compute fills s with the desired state of a Service, and reuses the memory of s. The
// service is nil if it does not exist; workloads are those that its selector matches,
// sorted by name. Neither is changed, but s keeps references to both. s must not be
// used concurrently.
func (s *State) Compute(service *corev1.Service, workloads []*Workload, options Options) {
	s.reset()
	if !publishes(service) {
		return
	}
	s.Service, s.OneFamily = service, options.WithholdSecondFamily
	s.Labels = sliceLabels(service, options.ManagedBy)
	s.resolvePorts(service, workloads)
	for i, family := range familiesOf(service) {
		s.addFamily(family, workloads, options, options.WithholdSecondFamily && i > 0)
	}
	s.skipRest(workloads)
	slices.SortStableFunc(s.Skipped, func(a, b Skip) int {
		return strings.Compare(a.Workload.Name, b.Workload.Name)
	})
}

// reset empties s and keeps its memory.
func (s *State) reset() {
	families := s.Families[:cap(s.Families)]
	for i := range families {
		clear(families[i].Endpoints)
		families[i].Groups, families[i].Endpoints = families[i].Groups[:0], families[i].Endpoints[:0]
	}
	clear(s.Skipped)
	*s = State{Families: families[:0], Skipped: s.Skipped[:0], scratch: s.scratch}
}

// publishes reports whether endpoints are published for a Service at all.
func publishes(service *corev1.Service) bool {
	return service != nil && service.Spec.Type != corev1.ServiceTypeExternalName && len(service.Spec.Selector) > 0
}

// familiesOf returns the Service's address families; both if it names none.
func familiesOf(service *corev1.Service) []corev1.IPFamily {
	if len(service.Spec.IPFamilies) > 0 {
		return service.Spec.IPFamilies
	}
	return []corev1.IPFamily{corev1.IPv4Protocol, corev1.IPv6Protocol}
}

// headless reports whether the Service has no ClusterIP, so that DNS answers with the
// endpoints.
func headless(service *corev1.Service) bool {
	return service.Spec.ClusterIP == corev1.ClusterIPNone
}

// resolvePorts sets, in scratch.groups, the index of the published ports of each
// workload.
func (s *State) resolvePorts(service *corev1.Service, workloads []*Workload) {
	c := &s.scratch
	c.resolver.reset(service)
	c.groups, c.published = c.groups[:0], c.published[:0]
	for _, w := range workloads {
		group := int32(noPorts)
		if w.unreadable == "" {
			group = c.resolver.groupOf(w.ports)
		}
		c.groups, c.published = append(c.groups, group), append(c.published, false)
	}
}

// addFamily adds the endpoints of one address family.
func (s *State) addFamily(family corev1.IPFamily, workloads []*Workload, options Options, withhold bool) {
	addressType := discoveryv1.AddressType(family)
	index := indexOf(addressType)
	f := s.nextFamily(addressType)
	rules := rulesOf(s.Service, options.Zones)
	f.Groups = append(f.Groups, s.scratch.resolver.resolved...)
	for i, w := range workloads {
		group := s.scratch.groups[i]
		if group == noPorts {
			continue
		}
		if w.addresses[index].text == "" {
			if w.addresses[index].problem != "" {
				s.Skipped = append(s.Skipped, Skip{Workload: w, Reason: ReasonInvalidAddress, Family: addressType, service: s.Service})
				s.scratch.published[i] = true
			}
			continue
		}
		s.scratch.published[i] = true
		endpoint := rules.endpoint(w, w.addresses[index].text, w.readyIn(index, options), group)
		if withhold && w.addresses[otherFamily(index)].text != "" {
			endpoint.Withheld = true
			endpoint.Ready, endpoint.ZoneHint, endpoint.NodeHint = false, "", ""
		}
		if endpoint.Ready {
			s.hold(&endpoint, options)
		}
		f.Endpoints = append(f.Endpoints, endpoint)
	}
	s.dropDuplicates(f)
}

// hold holds an endpoint if consumers may not have everything that they look up: the
// workload, its identity or the Service.
func (s *State) hold(e *Endpoint, options Options) {
	settledAt := e.Workload.SettledAt
	if options.ServiceSettledAt.After(settledAt) {
		settledAt = options.ServiceSettledAt
	}
	settledAt = options.Recovery.settled(settledAt)
	if !options.Now.Before(settledAt) {
		return
	}
	e.Held = true
	s.RetryAt = Earlier(s.RetryAt, settledAt)
}

// nextFamily appends a family, using the memory of an earlier one.
func (s *State) nextFamily(addressType discoveryv1.AddressType) *Family {
	if len(s.Families) < cap(s.Families) {
		s.Families = s.Families[:len(s.Families)+1]
	} else {
		s.Families = append(s.Families, Family{})
	}
	f := &s.Families[len(s.Families)-1]
	f.AddressType = addressType
	return f
}

func otherFamily(index int) int { return families - 1 - index }

// skipRest reports the workloads that have no endpoint in any family.
func (s *State) skipRest(workloads []*Workload) {
	for i, w := range workloads {
		switch {
		case w.unreadable != "":
			s.Skipped = append(s.Skipped, Skip{Workload: w, Reason: ReasonUnreadable, service: s.Service})
		case s.scratch.groups[i] == noPorts:
			s.Skipped = append(s.Skipped, Skip{Workload: w, Reason: ReasonNoMatchingPort, service: s.Service})
		case !s.scratch.published[i]:
			s.Skipped = append(s.Skipped, Skip{Workload: w, Reason: ReasonNoAddress, service: s.Service})
		}
	}
}
