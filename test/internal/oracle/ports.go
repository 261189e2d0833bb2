package oracle

import (
	"fmt"
	"sort"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// port is a published port. Its number and protocol decide whether two workloads collide.
type port struct {
	name        string
	number      int32
	protocol    corev1.Protocol
	appProtocol string
}

func protocolOf(text corev1.Protocol) corev1.Protocol {
	if text == "" {
		return corev1.ProtocolTCP
	}
	return corev1.Protocol(strings.ToUpper(string(text)))
}

// portsOf returns the Service's ports that the workload serves, in the Service's order.
func portsOf(service *corev1.Service, workload *v1beta1.ExternalWorkload) []port {
	var ports []port
	for _, servicePort := range service.Spec.Ports {
		number, ok := numberFor(servicePort, workload)
		if !ok {
			continue
		}
		found := port{name: servicePort.Name, number: number, protocol: protocolOf(servicePort.Protocol)}
		if servicePort.AppProtocol != nil {
			found.appProtocol = *servicePort.AppProtocol
		}
		ports = append(ports, found)
	}
	return ports
}

func numberFor(servicePort corev1.ServicePort, workload *v1beta1.ExternalWorkload) (int32, bool) {
	for _, declared := range workload.Spec.Ports {
		if protocolOf(declared.Protocol) != protocolOf(servicePort.Protocol) {
			continue
		}
		if declared.Port < 1 || declared.Port > 65535 {
			continue
		}
		if servicePort.TargetPort.Type == intstr.String && servicePort.TargetPort.StrVal != "" {
			if declared.Name == servicePort.TargetPort.StrVal {
				return declared.Port, true
			}
			continue
		}
		target := servicePort.TargetPort.IntVal
		if target == 0 {
			target = servicePort.Port
		}
		if declared.Port == target {
			return declared.Port, true
		}
	}
	return 0, false
}

// portSet returns the same text for all lists with the same ports in any order.
func portSet(ports []port) string {
	var texts []string
	for _, p := range ports {
		text := fmt.Sprintf("%q=%d/%s", p.name, p.number, p.protocol)
		if p.appProtocol != "" {
			text += "(" + p.appProtocol + ")"
		}
		texts = append(texts, text)
	}
	sort.Strings(texts)
	return "[" + strings.Join(texts, " ") + "]"
}

// portSetOfSlice is portSet for an actual slice. A nil field is marked, so that the result
// matches no desired port set.
func portSetOfSlice(ports []discoveryv1.EndpointPort) string {
	var texts []string
	for _, p := range ports {
		name, number, protocol := "nil", "nil", "nil"
		if p.Name != nil {
			name = fmt.Sprintf("%q", *p.Name)
		}
		if p.Port != nil {
			number = fmt.Sprintf("%d", *p.Port)
		}
		if p.Protocol != nil {
			protocol = string(*p.Protocol)
		}
		text := fmt.Sprintf("%s=%s/%s", name, number, protocol)
		if p.AppProtocol != nil && *p.AppProtocol != "" {
			text += "(" + *p.AppProtocol + ")"
		}
		texts = append(texts, text)
	}
	sort.Strings(texts)
	return "[" + strings.Join(texts, " ") + "]"
}
