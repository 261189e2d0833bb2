package desired

import (
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// AddressIn returns the address under which the workload is published in a family,
// or empty.
func (w *Workload) AddressIn(family discoveryv1.AddressType) string {
	return w.addresses[indexOf(family)].text
}

// ReadyIn reports whether a Service that publishes the family should send traffic to
// the workload.
func (w *Workload) ReadyIn(family discoveryv1.AddressType, options Options) bool {
	return w.AddressIn(family) != "" && !w.Terminating && w.readyIn(indexOf(family), options)
}

// AddressProblemIn returns the reason why the workload has no valid address of a family
// although it has an invalid one, or an empty text.
func (w *Workload) AddressProblemIn(family discoveryv1.AddressType) string {
	if w.AddressIn(family) != "" {
		return ""
	}
	return w.addresses[indexOf(family)].problem
}

// TargetPort returns the workload's port that a Service port refers to.
func TargetPort(port *corev1.ServicePort, workload []v1beta1.PortSpec) (number int32, found bool) {
	return targetOf(port, corev1.Protocol(protocolOf(string(port.Protocol))), portsOf(workload))
}
