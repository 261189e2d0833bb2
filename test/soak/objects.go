package main

import (
	"fmt"
	"math/rand/v2"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// The numbers of objects are small, so that operations often affect the same objects.
const (
	serviceCount  = 6
	workloadCount = 30
	addressCount  = 25
)

var (
	applications = []string{"web", "db", "cache"}
	zones        = []string{"", "", "east", "west"}
	strange      = []string{"", " ", "127.0.0.1", "010.0.0.1", "::ffff:10.0.0.1", "fe80::1", "224.0.0.1", "0.0.0.0", "no address", "2001:DB8:0::7"}
)

func pick[T any](draw *rand.Rand, from []T) T { return from[draw.IntN(len(from))] }

func chance(draw *rand.Rand, oneIn int) bool { return draw.IntN(oneIn) == 0 }

func someServiceName(draw *rand.Rand) string {
	return fmt.Sprintf("service-%d", draw.IntN(serviceCount))
}

// someWorkloadName sometimes returns a name that is not a DNS label.
func someWorkloadName(draw *rand.Rand) string {
	switch n := draw.IntN(workloadCount); n {
	case 0:
		return "dotted.name"
	case 1:
		return "long-" + strings.Repeat("x", 70)
	default:
		return fmt.Sprintf("workload-%d", n)
	}
}

// fillServiceSpec sets the fields of a Service that can change in place.
func fillServiceSpec(draw *rand.Rand, service *corev1.Service) {
	service.Labels = map[string]string{}
	if chance(draw, 2) {
		service.Labels["team"] = pick(draw, []string{"red", "blue"})
	}
	if chance(draw, 8) {
		service.Labels["endpointslice.kubernetes.io/managed-by"] = "forged"
	}
	service.Spec.Selector = map[string]string{"app": pick(draw, applications)}
	if chance(draw, 10) {
		service.Spec.Selector = nil
	}
	service.Spec.PublishNotReadyAddresses = chance(draw, 6)
	service.Spec.TrafficDistribution = nil
	if chance(draw, 2) {
		service.Spec.TrafficDistribution = ptr.To(pick(draw, []string{"PreferClose", "PreferSameZone", "PreferSameNode"}))
	}
	service.Spec.Ports = somePorts(draw)
}

func somePorts(draw *rand.Rand) []corev1.ServicePort {
	target := pick(draw, []intstr.IntOrString{intstr.FromString("http"), intstr.FromString("http"), intstr.FromInt32(8080), intstr.FromInt32(9090)})
	first := corev1.ServicePort{Name: "http", Port: 80, TargetPort: target}
	if chance(draw, 4) {
		first.AppProtocol = ptr.To("kubernetes.io/h2c")
	}
	if chance(draw, 3) {
		first.Name = ""
		return []corev1.ServicePort{first}
	}
	ports := []corev1.ServicePort{first}
	if chance(draw, 2) {
		ports = append(ports, corev1.ServicePort{Name: "admin", Port: 81, TargetPort: intstr.FromString("admin")})
	}
	return ports
}

func someService(draw *rand.Rand, name string) *corev1.Service {
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name}}
	fillServiceSpec(draw, service)
	if chance(draw, 2) {
		service.Spec.ClusterIP = corev1.ClusterIPNone
		if chance(draw, 4) {
			service.Spec.Ports = nil
		}
	}
	service.Spec.IPFamilyPolicy = ptr.To(pick(draw, []corev1.IPFamilyPolicy{
		corev1.IPFamilyPolicySingleStack, corev1.IPFamilyPolicyPreferDualStack,
	}))
	return service
}

func someLabels(draw *rand.Rand) map[string]string {
	labels := map[string]string{"app": pick(draw, applications)}
	if zone := pick(draw, zones); zone != "" {
		labels[corev1.LabelTopologyZone] = zone
	}
	return labels
}

func someAddresses(draw *rand.Rand) []v1beta1.WorkloadIP {
	if chance(draw, 8) {
		return []v1beta1.WorkloadIP{{IP: pick(draw, strange)}, {IP: fmt.Sprintf("10.1.0.%d", 1+draw.IntN(addressCount))}}
	}
	addresses := []v1beta1.WorkloadIP{{IP: fmt.Sprintf("10.0.0.%d", 1+draw.IntN(addressCount))}}
	if chance(draw, 3) {
		addresses = append(addresses, v1beta1.WorkloadIP{IP: fmt.Sprintf("2001:db8::%x", 1+draw.IntN(addressCount))})
	}
	return addresses
}

func someWorkloadPorts(draw *rand.Rand) []v1beta1.PortSpec {
	ports := []v1beta1.PortSpec{{Name: "http", Port: pick(draw, []int32{8080, 8080, 8080, 9090})}}
	if chance(draw, 2) {
		ports = append(ports, v1beta1.PortSpec{Name: "admin", Port: 9000, Protocol: pick(draw, []corev1.Protocol{"", "TCP", "tcp"})})
	}
	if chance(draw, 12) {
		return nil
	}
	return ports
}

func someWorkload(draw *rand.Rand, name string) *v1beta1.ExternalWorkload {
	return &v1beta1.ExternalWorkload{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: someLabels(draw)},
		Spec: v1beta1.ExternalWorkloadSpec{
			MeshTLS:     v1beta1.MeshTLS{Identity: "spiffe://example.org/" + name, ServerName: "vm.example.org"},
			WorkloadIPs: someAddresses(draw),
			Ports:       someWorkloadPorts(draw),
		},
	}
}
