package explain

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/external-workload/controller/pkg/desired"
	"github.com/external-workload/controller/pkg/plan"
)

// stepTime is how long a change may take before it counts as stuck. The
// controller publishes within a second unless the API server is overloaded.
const stepTime = 10 * time.Second

// placesOf returns a workload's endpoints in the slices of one family.
func placesOf(name string, family discoveryv1.AddressType, published []*discoveryv1.EndpointSlice) []Place {
	var places []Place
	for _, slice := range published {
		if slice.AddressType != family {
			continue
		}
		for i := range slice.Endpoints {
			e := &slice.Endpoints[i]
			if e.TargetRef == nil || e.TargetRef.Kind != "ExternalWorkload" || e.TargetRef.Name != name {
				continue
			}
			places = append(places, Place{
				Slice: slice.Name, Position: i + 1, Of: len(slice.Endpoints),
				Address: strings.Join(e.Addresses, ","), Ready: e.Conditions.Ready == nil || *e.Conditions.Ready,
				ports: portsKey(slice.Ports),
			})
		}
	}
	return places
}

// publishes reports whether a ready endpoint has the address and ports.
func publishes(places []Place, address, ports string) bool {
	return slices.ContainsFunc(places, func(p Place) bool { return p.Ready && p.Address == address && p.ports == ports })
}

// portsKey returns the same text for lists of ports that are published alike.
func portsKey(ports desired.Ports) string {
	texts := make([]string, 0, len(ports))
	for i := range ports {
		p := &ports[i]
		texts = append(texts, fmt.Sprintf("%q %q %q %q", text(p.Name), text(p.Protocol), text(p.AppProtocol), text(p.Port)))
	}
	slices.Sort(texts)
	return strings.Join(texts, "\n")
}

func text[T any](value *T) string {
	if value == nil {
		return "nil"
	}
	return fmt.Sprintf("=%v", *value)
}

// checkSlices describes where the endpoints of a workload are, what the next step
// for them is, and who else writes the slices.
func (n *Namespace) checkSlices(answer *Answer, v *view) []Check {
	var checks []Check
	pending := false
	for i := range answer.Families {
		f := &answer.Families[i]
		if f.Skipped != "" && len(f.Published) == 0 {
			continue
		}
		check := checkPlace(f)
		pending = pending || check.Result == Wait
		checks = append(checks, check)
	}
	if foreign := n.foreignManagers(answer.Service, answer.Workload); foreign != "" {
		checks = append(checks, Check{Name: CheckWriters, Result: Note, Reason: "OtherManager", Detail: foreign})
	}
	if writers := otherWriters(v.slices); writers != "" {
		checks = append(checks, Check{Name: CheckWriters, Result: Note, Reason: "ForeignWrites", Detail: writers})
	}
	if pending {
		checks = append(checks, n.checkStep(v, answer.Workload))
	}
	return checks
}

// checkPlace compares the desired endpoint of one family with the published ones.
func checkPlace(f *Family) Check {
	check := Check{Name: CheckSlice, Result: OK, Family: f.Family}
	var texts []string
	agrees := false
	for i := range f.Published {
		p := &f.Published[i]
		texts = append(texts, fmt.Sprintf("%s has %s as endpoint %d of %d, %s", p.Slice, p.Address, p.Position, p.Of, readyText(p.Ready)))
		agrees = agrees || p.Ready == f.Ready && p.Address == f.Address
	}
	check.Detail = strings.Join(texts, "; ")
	switch {
	case f.Skipped != "":
		check.Result, check.Reason = Wait, "StillPublished"
		check.Detail += "; the controller will remove it"
	case len(f.Published) == 0:
		check.Result, check.Reason = Wait, "NotYetPublished"
		check.Detail = fmt.Sprintf("no slice has it yet; desired: %s, %s", f.Address, readyText(f.Ready))
	case f.Ready && !f.Served || !agrees || len(f.Published) > 1:
		check.Result, check.Reason = Wait, "StepInProgress"
		check.Detail += fmt.Sprintf("; desired: %s, %s", f.Address, readyText(f.Ready))
	}
	return check
}

func readyText(ready bool) string {
	if ready {
		return "ready"
	}
	return "not ready"
}

// checkStep describes the next writes for a Service and what the workload waits for, or
// reports that they are overdue.
func (n *Namespace) checkStep(v *view, workload string) Check {
	check := Check{Name: CheckStep, Result: Wait, Reason: "StepInProgress"}
	var parts []string
	for i := range v.next.Writes {
		parts = append(parts, writeText(&v.next.Writes[i], workload))
	}
	if len(parts) > 0 {
		parts = []string{"next: " + strings.Join(parts, ", ")}
	}
	for _, waiting := range v.next.Waiting {
		if waiting.Workload == workload {
			parts = append(parts, "then: "+waiting.String())
		}
	}
	check.Detail = cmp.Or(strings.Join(parts, "; "), "the endpoint waits until clients know the workload")
	if v.next.More() {
		check.Detail += "; another step follows"
	}
	last := n.lastChange(v)
	if waited := n.options.Now.Sub(last); !last.IsZero() && waited > stepTime {
		check.Result, check.Reason = No, "NotWritten"
		check.Detail = fmt.Sprintf("nothing was written for %s; %s", age(last, n.options.Now), check.Detail)
		check.Fix = fmt.Sprintf("check that the controller runs, serves namespace %s and may write: kubectl get events -n %s --field-selector involvedObject.name=%s, and its log", n.name, n.name, v.service.Name)
	}
	return check
}

// writeText returns a write with the workload's own change, or else the first one, and
// the reason of the change.
func writeText(write *plan.Write, workload string) string {
	text := fmt.Sprintf("%s %s", write.Operation, write.Slice.Name)
	if write.Operation == plan.Create {
		text = "create a new slice"
	}
	if len(write.Changes) > 0 {
		own := slices.IndexFunc(write.Changes, func(c plan.Change) bool { return c.Workload == workload })
		text += fmt.Sprintf(" (%s", write.Changes[max(own, 0)])
		if more := len(write.Changes) - 1; more > 0 {
			text += fmt.Sprintf(", and %d more", more)
		}
		text += ")"
	}
	return text
}

// lastChange returns the latest time at which an object that affects a Service's slices
// was written.
func (n *Namespace) lastChange(v *view) time.Time {
	last := v.service.CreationTimestamp.Time
	later := func(t time.Time) {
		if t.After(last) {
			last = t
		}
	}
	for _, field := range v.service.ManagedFields {
		if field.Time != nil {
			later(field.Time.Time)
		}
	}
	for name := range v.selected {
		object := n.objects[name]
		later(object.CreationTimestamp.Time)
		if object.DeletionTimestamp != nil {
			later(object.DeletionTimestamp.Time)
		}
		for _, c := range object.Status.Conditions {
			later(c.LastTransitionTime.Time)
		}
		for _, field := range object.ManagedFields {
			if field.Time != nil && field.Subresource == "" {
				later(field.Time.Time)
			}
		}
	}
	for _, slice := range v.slices {
		later(slice.CreationTimestamp.Time)
		for _, field := range slice.ManagedFields {
			if field.Time != nil {
				later(field.Time.Time)
			}
		}
	}
	return last
}

// otherWriters returns the field managers of the slices other than the one that created
// them.
func otherWriters(published []*discoveryv1.EndpointSlice) string {
	for _, slice := range published {
		var managers []string
		for _, field := range slice.ManagedFields {
			managers = append(managers, field.Manager)
		}
		slices.Sort(managers)
		if managers = slices.Compact(managers); len(managers) > 1 {
			return fmt.Sprintf("slice %s has several writers: %s", slice.Name, strings.Join(managers, ", "))
		}
	}
	return ""
}

// foreignManagers returns the managers of other slices that contain the workload.
func (n *Namespace) foreignManagers(service, workload string) string {
	var texts []string
	for _, slice := range n.foreign[service] {
		if places := placesOf(workload, slice.AddressType, []*discoveryv1.EndpointSlice{slice}); len(places) > 0 {
			manager := cmp.Or(slice.Labels[discoveryv1.LabelManagedBy], "nobody")
			texts = append(texts, fmt.Sprintf("slice %s, managed by %s, has it too (%s)", slice.Name, manager, readyText(places[0].Ready)))
		}
	}
	return strings.Join(texts, "; ")
}
