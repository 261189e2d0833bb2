package build

import (
	"net/netip"

	corev1 "k8s.io/api/core/v1"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// WorkloadOption changes an ExternalWorkload.
type WorkloadOption interface {
	applyToWorkload(*v1beta1.ExternalWorkload)
}

type workloadOption func(*v1beta1.ExternalWorkload)

func (o workloadOption) applyToWorkload(w *v1beta1.ExternalWorkload) { o(w) }

// Workload makes an ExternalWorkload with a key like "namespace/name": ready,
// labelled app=web, at 192.0.2.1, with the TCP port 8080 named http.
func Workload(key string, options ...WorkloadOption) *v1beta1.ExternalWorkload {
	w := &v1beta1.ExternalWorkload{ObjectMeta: metadata(key)}
	w.Labels = map[string]string{"app": "web"}
	w.Spec = v1beta1.ExternalWorkloadSpec{
		MeshTLS:     v1beta1.MeshTLS{Identity: w.Name + ".identity.example", ServerName: w.Name + ".example"},
		WorkloadIPs: []v1beta1.WorkloadIP{{IP: "192.0.2.1"}},
		Ports:       []v1beta1.PortSpec{WorkloadPort("http", 8080, corev1.ProtocolTCP)},
	}
	w.Status.Conditions = []v1beta1.WorkloadCondition{Condition(v1beta1.WorkloadReady, v1beta1.ConditionTrue)}
	for _, option := range options {
		option.applyToWorkload(w)
	}
	return w
}

// IPs replaces the workload's addresses.
func IPs(ips ...string) WorkloadOption {
	return workloadOption(func(w *v1beta1.ExternalWorkload) {
		w.Spec.WorkloadIPs = nil
		for _, ip := range ips {
			w.Spec.WorkloadIPs = append(w.Spec.WorkloadIPs, v1beta1.WorkloadIP{IP: ip})
		}
	})
}

// WorkloadPorts replaces the workload's ports.
func WorkloadPorts(ports ...v1beta1.PortSpec) WorkloadOption {
	return workloadOption(func(w *v1beta1.ExternalWorkload) { w.Spec.Ports = ports })
}

// WorkloadPort makes a port of a workload. The protocol may be empty.
func WorkloadPort(name string, number int32, protocol corev1.Protocol) v1beta1.PortSpec {
	return v1beta1.PortSpec{Name: name, Port: number, Protocol: protocol}
}

// NotReady sets the workload's condition Ready to False.
func NotReady() WorkloadOption {
	return Conditions(Condition(v1beta1.WorkloadReady, v1beta1.ConditionFalse))
}

// Conditions replaces the workload's conditions.
func Conditions(conditions ...v1beta1.WorkloadCondition) WorkloadOption {
	return workloadOption(func(w *v1beta1.ExternalWorkload) { w.Status.Conditions = conditions })
}

// Condition makes a condition of a workload.
func Condition(t v1beta1.WorkloadConditionType, status v1beta1.ConditionStatus) v1beta1.WorkloadCondition {
	return v1beta1.WorkloadCondition{Type: t, Status: status}
}

// Drained sets the drain annotation.
func Drained() WorkloadOption { return Annotation(v1beta1.DrainAnnotation, "true") }

// Probed adds a probe of port 8080 to the workload.
func Probed() WorkloadOption {
	return Annotation(v1beta1.ProbeAnnotation, `{"tcpSocket":{"port":8080}}`)
}

// Proven makes the workload ready, as if probes had passed at these addresses. It must
// come after options that change the UID.
func Proven(addresses ...string) WorkloadOption {
	return workloadOption(func(w *v1beta1.ExternalWorkload) {
		w.Status.Conditions = []v1beta1.WorkloadCondition{Condition(v1beta1.WorkloadReady, v1beta1.ConditionTrue)}
		Passed(addresses...).applyToWorkload(w)
	})
}

// Passed adds the conditions for probes that passed at these addresses. It must come
// after options that change the UID or replace the conditions.
func Passed(addresses ...string) WorkloadOption {
	return workloadOption(func(w *v1beta1.ExternalWorkload) {
		for _, address := range addresses {
			target := netip.AddrPortFrom(netip.MustParseAddr(address), 8080)
			kind := v1beta1.WorkloadReadyIPv4
			if target.Addr().Is6() {
				kind = v1beta1.WorkloadReadyIPv6
			}
			passed := Condition(kind, v1beta1.ConditionTrue)
			passed.Message = v1beta1.Proof{Target: target, UID: w.UID}.String()
			w.Status.Conditions = append(w.Status.Conditions, passed)
		}
	})
}

// Zone puts the workload into a topology zone.
func Zone(zone string) WorkloadOption {
	return Label(corev1.LabelTopologyZone, zone)
}

// MeshTLS sets the workload's identity and server name.
func MeshTLS(identity, serverName string) WorkloadOption {
	return workloadOption(func(w *v1beta1.ExternalWorkload) {
		w.Spec.MeshTLS = v1beta1.MeshTLS{Identity: identity, ServerName: serverName}
	})
}
