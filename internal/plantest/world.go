package plantest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// world holds the objects that users have created. They are replaced, never changed.
type world struct {
	service   *corev1.Service // nil while there is none
	workloads []*v1beta1.ExternalWorkload
	dualStack bool
	clock     int64
	// now is the current time, in histories in which time passes.
	now time.Time
}

// created returns the creation time of a new object. If no time passes, each operation
// takes a second.
func (w *world) created() metav1.Time {
	if w.now.IsZero() {
		return metav1.NewTime(time.Unix(w.clock, 0))
	}
	return metav1.NewTime(w.now.Truncate(time.Second))
}

// find returns the index of the workload of that name, or where it would be.
func (w *world) find(name string) (int, bool) {
	return slices.BinarySearchFunc(w.workloads, name, func(workload *v1beta1.ExternalWorkload, name string) int {
		return strings.Compare(workload.Name, name)
	})
}

// selected returns the workloads that the Service selects, ordered by name.
func (w *world) selected() []*v1beta1.ExternalWorkload {
	if w.service == nil || len(w.service.Spec.Selector) == 0 {
		return nil
	}
	selected := make([]*v1beta1.ExternalWorkload, 0, len(w.workloads))
	for _, workload := range w.workloads {
		if matches(w.service.Spec.Selector, workload.Labels) {
			selected = append(selected, workload)
		}
	}
	return selected
}

func matches(selector, labels map[string]string) bool {
	for key, value := range selector {
		if labels[key] != value {
			return false
		}
	}
	return true
}

// apply plays an operation of a user. An operation on a missing object does nothing, so
// that every part of a history can be played.
func (w *world) apply(o Operation) {
	w.clock++
	switch {
	case o.Kind <= SetMembership:
		w.applyToWorkload(o)
	case o.Kind == CreateService:
		if w.service == nil {
			w.createService(o.A, o.B)
		}
	case w.service == nil:
	case o.Kind == DeleteService:
		w.service = nil
	case o.Kind == RecreateService:
		w.createService(o.A, o.B)
	default:
		w.changeService(o)
	}
}

func (w *world) createService(ports, headless int) {
	w.service = &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: Namespace,
			Name:      ServiceName,
			UID:       types.UID(fmt.Sprintf("service-uid-%d", w.clock)),

			CreationTimestamp: w.created(),
			Labels:            pick(serviceLabels, 0),
		},
		Spec: corev1.ServiceSpec{
			Type:       corev1.ServiceTypeClusterIP,
			ClusterIP:  "10.0.0.1",
			Selector:   pick(selectors, 0),
			IPFamilies: w.families(0),
		},
	}
	if isHeadlessChoice(headless) {
		w.service.Spec.ClusterIP = corev1.ClusterIPNone
	}
	w.changeService(Operation{Kind: SetServicePorts, A: ports})
}

// families returns the families of a choice; in a single-stack cluster only one family.
func (w *world) families(choice int) []corev1.IPFamily {
	if !w.dualStack {
		return pick(familyLists[:2], choice)
	}
	return pick(familyLists, choice)
}

func (w *world) changeService(o Operation) {
	changed := *w.service
	spec := &changed.Spec
	switch o.Kind {
	case SetServicePorts:
		spec.Ports = pick(servicePorts, o.A)
		if len(spec.Ports) == 0 && spec.ClusterIP != corev1.ClusterIPNone {
			spec.Ports = servicePorts[0]
		}
	case SetSelector:
		spec.Selector = pick(selectors, o.A)
	case SetServiceType:
		spec.Type = pick(serviceTypes, o.A)
	case SetFamilies:
		spec.IPFamilies = w.families(o.A)
	case SetPublishNotReady:
		spec.PublishNotReadyAddresses = o.A%2 == 1
	case SetTrafficDistribution:
		spec.TrafficDistribution = pick(distributions, o.A)
	case SetServiceLabels:
		changed.Labels = pick(serviceLabels, o.A)
	}
	w.service = &changed
}

func (w *world) applyToWorkload(o Operation) {
	name := pick(workloadNames, o.A)
	at, exists := w.find(name)
	if o.Kind == CreateWorkload {
		if !exists {
			w.workloads = slices.Insert(slices.Clone(w.workloads), at, w.newWorkload(name, o.B))
		}
		return
	}
	if !exists {
		return
	}
	w.workloads = slices.Clone(w.workloads)
	switch o.Kind {
	case DeleteWorkload:
		w.workloads = slices.Delete(w.workloads, at, at+1)
	case RenameWorkload:
		w.renameWorkload(at, pick(workloadNames, o.B))
	case SwapAddresses:
		if other, found := w.find(pick(workloadNames, o.B)); found && other != at {
			a, b := *w.workloads[at], *w.workloads[other]
			a.Spec.WorkloadIPs, b.Spec.WorkloadIPs = b.Spec.WorkloadIPs, a.Spec.WorkloadIPs
			w.workloads[at], w.workloads[other] = &a, &b
		}
	default:
		w.workloads[at] = w.changedWorkload(w.workloads[at], o)
	}
}

// newWorkload makes a workload that is usually ready and usually has the address that
// belongs to its name.
func (w *world) newWorkload(name string, shape int) *v1beta1.ExternalWorkload {
	workload := &v1beta1.ExternalWorkload{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: Namespace, Name: name,
			UID:               types.UID(fmt.Sprintf("workload-uid-%d", w.clock)),
			CreationTimestamp: w.created(),
			Labels:            pick(workloadLabels, 0),
		},
	}
	workload.Spec.WorkloadIPs = pick(addressLists, slices.Index(workloadNames, name)+shape%2*(shape/2))
	workload.Spec.Ports = workloadPorts[0]
	if shape%3 == 2 {
		workload.Spec.Ports = pick(workloadPorts, shape)
	}
	workload.Spec.MeshTLS = pick(identities, slices.Index(workloadNames, name))
	workload.Status.Conditions = readiness[0]
	if shape%7 == 6 {
		workload.Status.Conditions = readiness[1]
	}
	return workload
}

func (w *world) renameWorkload(at int, name string) {
	renamed := *w.workloads[at]
	renamed.Name = name
	renamed.UID = types.UID(fmt.Sprintf("workload-uid-%d", w.clock))
	renamed.CreationTimestamp = w.created()
	renamed.DeletionTimestamp = nil
	if _, taken := w.find(name); taken {
		return
	}
	w.workloads = slices.Delete(w.workloads, at, at+1)
	at, _ = w.find(name)
	w.workloads = slices.Insert(w.workloads, at, &renamed)
}

func (w *world) changedWorkload(workload *v1beta1.ExternalWorkload, o Operation) *v1beta1.ExternalWorkload {
	changed := *workload
	switch o.Kind {
	case BeginDeletion:
		changed.DeletionTimestamp = &metav1.Time{Time: time.Unix(w.clock, 0)}
	case RecreateWorkload:
		changed.UID = types.UID(fmt.Sprintf("workload-uid-%d", w.clock))
		changed.CreationTimestamp = w.created()
		changed.DeletionTimestamp = nil
		if o.B%3 > 0 {
			changed.Spec.WorkloadIPs = pick(addressLists, o.B)
		}
	case SetAddress:
		changed.Spec.WorkloadIPs = pick(addressLists, o.B)
	case SetWorkloadPorts:
		changed.Spec.Ports = pick(workloadPorts, o.B)
	case SetIdentity:
		changed.Spec.MeshTLS = pick(identities, o.B)
		if !w.now.IsZero() {
			// An identity that changes and changes back while a consumer has not received a
			// slice could be announced in between, unseen by any controller: docs/linkerd.md
			// describes this window. If time passes, no identity comes back.
			changed.Spec.MeshTLS.Identity = fmt.Sprintf("spiffe://root/%d", w.clock)
		}
	case SetReady:
		changed.Status.Conditions = pick(readiness, o.B)
	case SetZone:
		changed.Labels = maps.Clone(changed.Labels)
		delete(changed.Labels, corev1.LabelTopologyZone)
		if zone := pick(zones, o.B); zone != "" {
			changed.Labels[corev1.LabelTopologyZone] = zone
		}
	case SetMembership:
		zone := changed.Labels[corev1.LabelTopologyZone]
		changed.Labels = maps.Clone(pick(workloadLabels, o.B))
		if zone != "" {
			changed.Labels[corev1.LabelTopologyZone] = zone
		}
	}
	return &changed
}
