package plantest

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// pick returns one of the choices, for any number.
func pick[T any](choices []T, number int) T { return choices[number%len(choices)] }

// The choices of operations. They are few, so that workloads often share an address, a
// port set or a zone. They are never changed.
var (
	workloadNames = []string{"w0", "w1", "w2", "w3", "w4", "w5.example"}

	addressLists = [][]v1beta1.WorkloadIP{
		ips("192.0.2.1", "2001:db8::1"), ips("192.0.2.2", "2001:db8::2"), ips("192.0.2.3"),
		ips("192.0.2.4", "2001:DB8:0::4"), ips("192.0.2.5"), ips("2001:db8::6", "192.0.2.6"),
		ips("192.0.2.7"), ips("2001:db8::7"), ips("192.0.2.1"), ips("2001:db8::1"),
		nil, ips(""), ips("127.0.0.1"), ips("192.0.2.01"), ips("::ffff:192.0.2.1"), ips("224.0.0.1", "2001:db8::8"),
	}

	workloadPorts = [][]v1beta1.PortSpec{
		{port("http", 8080), port("admin", 9000)},
		{port("http", 8080)},
		{port("http", 9090)},
		{port("http", 8080), port("admin", 9001)},
		{port("admin", 9000)},
		{port("admin", 8080), port("http", 9000)},
		nil,
	}

	servicePorts = [][]corev1.ServicePort{
		{servicePort("http", intstr.FromString("http"))},
		{servicePort("http", intstr.FromString("http")), servicePort("admin", intstr.FromString("admin"))},
		{servicePort("", intstr.FromString("http"))},
		{servicePort("http", intstr.FromInt32(8080))},
		{servicePort("http", intstr.FromString("admin"))},
		{servicePort("web", intstr.FromString("http"))},
		{servicePort("http", intstr.FromString("admin")), servicePort("admin", intstr.FromString("http"))},
		{},
	}

	// portNames are all names that a Service's port can have.
	portNames = []string{"http", "admin", "web", ""}

	identities = []v1beta1.MeshTLS{
		{Identity: "spiffe://root/a", ServerName: "a.example"},
		{Identity: "spiffe://root/b", ServerName: "b.example"},
		{Identity: "spiffe://root/b", ServerName: "c.example"},
	}

	readiness = [][]v1beta1.WorkloadCondition{
		{{Type: v1beta1.WorkloadReady, Status: v1beta1.ConditionTrue}},
		{{Type: v1beta1.WorkloadReady, Status: v1beta1.ConditionFalse}},
		nil,
	}

	zones = []string{"west", "east", ""}

	workloadLabels = []map[string]string{{"app": "web"}, {"app": "web", "tier": "gold"}, {"app": "other"}}
	selectors      = []map[string]string{{"app": "web"}, {"app": "web", "tier": "gold"}, nil}
	serviceLabels  = []map[string]string{{"team": "blue"}, {"team": "red"}, nil}

	serviceTypes = []corev1.ServiceType{corev1.ServiceTypeClusterIP, corev1.ServiceTypeExternalName}

	familyLists = [][]corev1.IPFamily{
		{corev1.IPv4Protocol}, {corev1.IPv6Protocol},
		{corev1.IPv4Protocol, corev1.IPv6Protocol}, {corev1.IPv6Protocol, corev1.IPv4Protocol}, nil,
	}

	distributions = []*string{
		nil, ptr.To(corev1.ServiceTrafficDistributionPreferClose),
		nil, ptr.To(corev1.ServiceTrafficDistributionPreferSameNode),
	}
)

// isHeadlessChoice makes one Service of three headless.
func isHeadlessChoice(number int) bool { return number%3 == 1 }

func ips(texts ...string) []v1beta1.WorkloadIP {
	var list []v1beta1.WorkloadIP
	for _, text := range texts {
		list = append(list, v1beta1.WorkloadIP{IP: text})
	}
	return list
}

func port(name string, number int32) v1beta1.PortSpec {
	return v1beta1.PortSpec{Name: name, Port: number, Protocol: corev1.ProtocolTCP}
}

func servicePort(name string, target intstr.IntOrString) corev1.ServicePort {
	return corev1.ServicePort{Name: name, Port: int32(80 + len(name)), Protocol: corev1.ProtocolTCP, TargetPort: target}
}
