package explain

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/external-workload/controller/pkg/desired"
)

// NotFoundError says that an object does not exist.
type NotFoundError struct{ Kind, Namespace, Name string }

func (e *NotFoundError) Error() string {
	return fmt.Sprintf("%s %q not found in namespace %q", e.Kind, e.Name, e.Namespace)
}

// Workload explains a workload in all Services that select it, or only in the named
// Service. The error is a *NotFoundError.
func (n *Namespace) Workload(name, service string) (*Workload, error) {
	object := n.objects[name]
	if object == nil {
		return nil, &NotFoundError{"ExternalWorkload", n.name, name}
	}
	answer := &Workload{Namespace: n.name, Name: name, State: stateOf(object, n.options.Options), Contradictions: n.contradictions}
	if service != "" {
		named := n.service(service)
		if named == nil {
			return nil, &NotFoundError{"Service", n.name, service}
		}
		answer.Answers = []Answer{n.explain(name, named)}
		answer.Served = answer.Answers[0].Served
		return answer, nil
	}
	answer.Served = true
	for _, s := range n.services {
		// A Service that never has endpoints cannot serve, so it is no reason to say that
		// the workload is not served.
		if unpublished(s) != "" || n.viewOf(s).selected[name] == nil {
			continue
		}
		one := n.explain(name, s)
		answer.Served = answer.Served && one.Served
		answer.Answers = append(answer.Answers, one)
	}
	if len(answer.Answers) == 0 {
		answer.Served = false
		if nearest := n.nearest(object.Labels); nearest != nil {
			one := n.explain(name, nearest)
			answer.Nearest = &one
		}
	}
	return answer, nil
}

// Service explains all workloads that a Service selects.
func (n *Namespace) Service(name string) (*Service, error) {
	service := n.service(name)
	if service == nil {
		return nil, &NotFoundError{"Service", n.name, name}
	}
	v := n.viewOf(service)
	answer := &Service{Namespace: n.name, Name: name, Problem: n.problemOf(service, v), Contradictions: n.contradictions}
	for _, workload := range slices.Sorted(maps.Keys(v.selected)) {
		one := n.explain(workload, service)
		if one.Served {
			answer.Served++
		}
		answer.Answers = append(answer.Answers, one)
		answer.States = append(answer.States, stateOf(n.objects[workload], n.options.Options))
	}
	answer.Limits = serviceLimits(service)
	return answer, nil
}

// problemOf returns the reason why a Service serves no workload at all.
func (n *Namespace) problemOf(service *corev1.Service, v *view) string {
	if problem := unpublished(service); problem != "" {
		return problem
	}
	if len(v.selected) == 0 {
		return "its selector " + selectorText(service) + " matches no ExternalWorkload of the namespace"
	}
	return ""
}

// explain runs all checks of one workload in one Service.
func (n *Namespace) explain(name string, service *corev1.Service) Answer {
	object, v := n.objects[name], n.viewOf(service)
	answer := Answer{Service: service.Name, Workload: name}
	answer.Checks = append(answer.Checks, checkSelector(service, object))
	if answer.Checks[0].Result == No {
		return answer
	}
	answer.Families = n.familiesOf(name, v)
	for i := range answer.Families {
		answer.Served = answer.Served || answer.Families[i].Served
	}
	answer.Checks = append(answer.Checks, checkObject(object)...)
	answer.Checks = append(answer.Checks, checkPorts(service, object, answer.Families))
	answer.Checks = append(answer.Checks, checkAddresses(object, answer.Families)...)
	answer.Checks = append(answer.Checks, checkDuplicates(name, v, answer.Families)...)
	answer.Checks = append(answer.Checks, checkDraining(service, object, n.options.Now)...)
	answer.Checks = append(answer.Checks, checkReadiness(service, object, answer.Families, n.options.Options))
	if !n.options.OnlyManifests {
		answer.Checks = append(answer.Checks, n.checkSlices(&answer, v)...)
	}
	answer.Limits = append(serviceLimits(service), n.workloadLimits(object, v, answer.Families)...)
	return answer
}

// familiesOf compares what is desired with what is published, by family.
func (n *Namespace) familiesOf(name string, v *view) []Family {
	var families []Family
	for i := range v.state.Families {
		f := &v.state.Families[i]
		family := Family{Family: f.AddressType, Published: placesOf(name, f.AddressType, v.slices)}
		if endpoint := endpointOf(f, name); endpoint != nil {
			family.Address, family.Ready, family.Serving, family.Terminating = endpoint.Address, endpoint.Ready, endpoint.Serving, endpoint.Terminating
			ports := portsKey(f.Groups[endpoint.Group])
			family.withheld = endpoint.Withheld
			family.Served = endpoint.Ready && (n.options.OnlyManifests || publishes(family.Published, endpoint.Address, ports))
		} else {
			family.Skipped = skippedIn(name, f.AddressType, v.state.Skipped)
		}
		families = append(families, family)
	}
	return families
}

// endpointOf finds a workload's endpoint; nil if it has none.
func endpointOf(f *desired.Family, name string) *desired.Endpoint {
	for i := range f.Endpoints {
		if f.Endpoints[i].Workload.Name == name {
			return &f.Endpoints[i]
		}
	}
	return nil
}

// skippedIn returns the reason why a workload has no endpoint in a family.
func skippedIn(name string, family discoveryv1.AddressType, skipped []desired.Skip) string {
	for i := range skipped {
		if skipped[i].Workload.Name == name && (skipped[i].Family == family || skipped[i].Family == "") {
			return string(skipped[i].Reason)
		}
	}
	return string(desired.ReasonNoAddress)
}
