package readiness

import (
	"net/netip"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// workload makes a workload; its UID follows from its name.
func workload(name string, changes ...func(*v1beta1.ExternalWorkload)) *v1beta1.ExternalWorkload {
	made := &v1beta1.ExternalWorkload{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID("uid-" + name)},
		Spec: v1beta1.ExternalWorkloadSpec{
			MeshTLS:     v1beta1.MeshTLS{Identity: "spiffe://example.org/vm", ServerName: "vm.example.org"},
			WorkloadIPs: []v1beta1.WorkloadIP{{IP: "192.0.2.10"}},
			Ports:       []v1beta1.PortSpec{{Name: "http", Port: 80}},
		},
	}
	for _, change := range changes {
		change(made)
	}
	return made
}

func annotated(key, value string) func(*v1beta1.ExternalWorkload) {
	return func(w *v1beta1.ExternalWorkload) {
		if w.Annotations == nil {
			w.Annotations = map[string]string{}
		}
		w.Annotations[key] = value
	}
}

func declared(value string) func(*v1beta1.ExternalWorkload) {
	return annotated(v1beta1.ReadyAnnotation, value)
}

func probed(value string) func(*v1beta1.ExternalWorkload) {
	return annotated(v1beta1.ProbeAnnotation, value)
}

func having(conditions ...v1beta1.WorkloadCondition) func(*v1beta1.ExternalWorkload) {
	return func(w *v1beta1.ExternalWorkload) { w.Status.Conditions = conditions }
}

func is(kind v1beta1.WorkloadConditionType, status v1beta1.ConditionStatus, reason, message string) v1beta1.WorkloadCondition {
	return v1beta1.WorkloadCondition{Type: kind, Status: status, Reason: reason, Message: message}
}

// proven returns the condition that records that an address passed its probe.
func proven(workload, address string) v1beta1.WorkloadCondition {
	target := netip.MustParseAddrPort(address)
	kind := v1beta1.WorkloadReadyIPv4
	if target.Addr().Is6() {
		kind = v1beta1.WorkloadReadyIPv6
	}
	return is(kind, "True", ReasonProbeSucceeded, v1beta1.Proof{Target: target, UID: types.UID("uid-" + workload)}.String())
}

func at(addresses ...string) func(*v1beta1.ExternalWorkload) {
	return func(w *v1beta1.ExternalWorkload) {
		w.Spec.WorkloadIPs = nil
		for _, address := range addresses {
			w.Spec.WorkloadIPs = append(w.Spec.WorkloadIPs, v1beta1.WorkloadIP{IP: address})
		}
	}
}

// since sets the last transition of a condition.
func since(condition v1beta1.WorkloadCondition, when time.Time) v1beta1.WorkloadCondition {
	condition.LastTransitionTime = metav1.NewTime(when)
	return condition
}

// probedAt sets the last probe of a condition.
func probedAt(condition v1beta1.WorkloadCondition, when time.Time) v1beta1.WorkloadCondition {
	condition.LastProbeTime = metav1.NewTime(when)
	return condition
}
