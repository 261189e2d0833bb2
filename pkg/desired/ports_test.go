package desired_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/desired"
)

func TestPorts(t *testing.T) {
	port, has := build.Port, build.WorkloadPort
	unset := func(p *corev1.ServicePort) { p.TargetPort = intstr.IntOrString{} }
	for sentence, row := range map[string]struct {
		service  []corev1.ServicePort
		workload []v1beta1.PortSpec
		// want is empty if the workload is skipped.
		want string
	}{
		"a named target is the workload's port of that name": {
			[]corev1.ServicePort{port("http", 80, build.ToName("web"))}, []v1beta1.PortSpec{has("web", 8080, "TCP")}, "http:8080/TCP",
		},
		"a named target needs the Service port's protocol": {
			[]corev1.ServicePort{port("dns", 53, build.ToName("dns"), build.Over("UDP"))},
			[]v1beta1.PortSpec{has("dns", 5300, "TCP"), has("dns", 5353, "UDP")}, "dns:5353/UDP",
		},
		"a named target of another protocol only is no match": {
			[]corev1.ServicePort{port("dns", 53, build.ToName("dns"), build.Over("UDP"))}, []v1beta1.PortSpec{has("dns", 53, "TCP")}, "",
		},
		"a named target that the workload lacks is no match": {
			[]corev1.ServicePort{port("http", 80, build.ToName("web"))}, []v1beta1.PortSpec{has("http", 80, "TCP")}, "",
		},
		"a named target is case sensitive": {
			[]corev1.ServicePort{port("http", 80, build.ToName("web"))}, []v1beta1.PortSpec{has("Web", 80, "TCP")}, "",
		},
		"an empty named target does not match unnamed ports": {
			[]corev1.ServicePort{port("http", 80, build.ToName(""))}, []v1beta1.PortSpec{has("", 80, "TCP")}, "",
		},
		"of two ports with the name the first is used": {
			[]corev1.ServicePort{port("http", 80, build.ToName("web"))},
			[]v1beta1.PortSpec{has("web", 8081, "TCP"), has("web", 8080, "TCP")}, "http:8081/TCP",
		},
		"a numbered target is the workload's port of that number": {
			[]corev1.ServicePort{port("http", 80, build.ToNumber(8080))}, []v1beta1.PortSpec{has("", 8080, "TCP")}, "http:8080/TCP",
		},
		"a numbered target must be declared": {
			[]corev1.ServicePort{port("http", 80, build.ToNumber(8080))}, []v1beta1.PortSpec{has("", 8081, "TCP")}, "",
		},
		"a numbered target of another protocol is no match": {
			[]corev1.ServicePort{port("http", 80, build.ToNumber(8080))}, []v1beta1.PortSpec{has("", 8080, "UDP")}, "",
		},
		"without a target it is the Service's own port": {
			[]corev1.ServicePort{port("http", 80, unset)}, []v1beta1.PortSpec{has("", 80, "TCP")}, "http:80/TCP",
		},
		"a workload without ports is skipped": {
			[]corev1.ServicePort{port("http", 80)}, nil, "",
		},
		"protocols are compared without case": {
			[]corev1.ServicePort{port("a", 1), port("b", 2, build.Over("udp")), port("c", 3, build.Over("sctp"))},
			[]v1beta1.PortSpec{has("", 1, "tcp"), has("", 2, "Udp"), has("", 3, "SCTP")}, "a:1/TCP,b:2/UDP,c:3/SCTP",
		},
		"an empty protocol of the workload is TCP": {
			[]corev1.ServicePort{port("http", 80)}, []v1beta1.PortSpec{has("", 80, "")}, "http:80/TCP",
		},
		"an empty protocol of the Service is TCP": {
			[]corev1.ServicePort{port("http", 80, build.Over(""))}, []v1beta1.PortSpec{has("", 80, "TCP")}, "http:80/TCP",
		},
		"an unknown protocol matches nothing": {
			[]corev1.ServicePort{port("http", 80)}, []v1beta1.PortSpec{has("", 80, "QUIC")}, "",
		},
		"ports that match are published, the others not": {
			[]corev1.ServicePort{port("http", 80), port("admin", 81)}, []v1beta1.PortSpec{has("", 81, "TCP")}, "admin:81/TCP",
		},
		"ports are in the Service's order": {
			[]corev1.ServicePort{port("z", 80), port("a", 81)}, []v1beta1.PortSpec{has("", 81, "TCP"), has("", 80, "TCP")}, "z:80/TCP,a:81/TCP",
		},
		"one target of two Service ports is published under both names": {
			[]corev1.ServicePort{port("a", 80, build.ToNumber(8080)), port("b", 81, build.ToNumber(8080))},
			[]v1beta1.PortSpec{has("", 8080, "TCP")}, "a:8080/TCP,b:8080/TCP",
		},
		"a number out of range, stored under a lax CRD, is no match": {
			[]corev1.ServicePort{port("http", 80, build.ToName("web"))},
			[]v1beta1.PortSpec{has("web", 0, "TCP"), has("web", -1, "TCP"), has("web", 65536, "TCP")}, "",
		},
		"the largest number is published": {
			[]corev1.ServicePort{port("http", 80, build.ToName("web"))}, []v1beta1.PortSpec{has("web", 65535, "TCP")}, "http:65535/TCP",
		},
		"ports declared twice are published once": {
			[]corev1.ServicePort{port("http", 80)}, []v1beta1.PortSpec{has("web", 80, "TCP"), has("web", 80, "TCP")}, "http:80/TCP",
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			want := "skip a NoMatchingPort"
			if row.want != "" {
				want = fmt.Sprintf("IPv4 a 192.0.2.1 %s ready serving", row.want)
			}
			got := lines(compute(build.Service("shop/web", build.Ports(row.service...)), with(
				build.Workload("shop/a", build.WorkloadPorts(row.workload...)))))
			if diff := cmp.Diff([]string{want}, got); diff != "" {
				t.Errorf("published differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestServiceWithoutPorts(t *testing.T) {
	service := build.Service("shop/web", build.Headless(), build.Ports())
	got := compute(service, with(build.Workload("shop/a", build.WorkloadPorts()), build.Workload("shop/b", build.IPs("192.0.2.2"))))
	want := []string{
		"IPv4 a 192.0.2.1  ready serving hostname=a",
		"IPv4 b 192.0.2.2  ready serving hostname=b",
	}
	if diff := cmp.Diff(want, lines(got)); diff != "" {
		t.Errorf("published differs (-want +got):\n%s", diff)
	}
	// An absent list would mean "all ports" to some clients.
	if diff := cmp.Diff([]desired.Ports{{}}, got.Families[0].Groups); diff != "" {
		t.Errorf("groups differ (-want +got):\n%s", diff)
	}
}

func TestSlicePorts(t *testing.T) {
	service := build.Service("shop/web", build.Ports(
		build.Port("", 80, build.ToName("http"), build.AppProtocol("kubernetes.io/h2c")),
		build.Port("dns", 53, build.Over("udp")),
	))
	got := compute(service, with(build.Workload("shop/a", build.WorkloadPorts(
		build.WorkloadPort("http", 8080, "tcp"), build.WorkloadPort("", 53, "udp"))))).Families[0].Groups
	want := []desired.Ports{{
		// The API server stores "" for an absent name.
		{Name: new(""), Port: new(int32(8080)), Protocol: new(corev1.ProtocolTCP), AppProtocol: new("kubernetes.io/h2c")},
		{Name: new("dns"), Port: new(int32(53)), Protocol: new(corev1.ProtocolUDP)},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("groups differ (-want +got):\n%s", diff)
	}
}

func TestGroupsOfPorts(t *testing.T) {
	named := build.Service("shop/web", build.Ports(build.Port("http", 80, build.ToName("http")), build.Port("admin", 81)))
	serving := func(name string, ip string, ports ...v1beta1.PortSpec) *v1beta1.ExternalWorkload {
		return build.Workload("shop/"+name, build.IPs(ip), build.WorkloadPorts(ports...))
	}
	has := build.WorkloadPort
	got := compute(named, with(
		serving("a", "192.0.2.1", has("http", 8080, "TCP")),
		serving("b", "192.0.2.2", has("http", 9090, "TCP")),
		serving("c", "192.0.2.3", has("other", 1, "TCP"), has("http", 8080, "")),
		serving("d", "192.0.2.4", has("http", 8080, "TCP"), has("", 81, "TCP")),
		serving("e", "192.0.2.5", has("", 81, "TCP"), has("http", 8080, "TCP")),
	)).Families[0]
	groups := make([]int32, 0, len(got.Endpoints))
	for _, e := range got.Endpoints {
		groups = append(groups, e.Group)
	}
	if diff := cmp.Diff([]int32{0, 1, 0, 2, 2}, groups); diff != "" {
		t.Errorf("workloads a to e are not in one group for each set of ports (-want +got):\n%s", diff)
	}
	want := []string{"http:8080/TCP", "http:9090/TCP", "http:8080/TCP,admin:81/TCP"}
	texts := make([]string, 0, len(got.Groups))
	for _, ports := range got.Groups {
		texts = append(texts, ports.String())
	}
	if diff := cmp.Diff(want, texts); diff != "" {
		t.Errorf("groups differ (-want +got):\n%s", diff)
	}
}

func TestComparisonOfPorts(t *testing.T) {
	http := build.EndpointPort("http", 8080)
	admin := build.EndpointPort("admin", 9090)
	with := func(change func(*discoveryv1.EndpointPort)) desired.Ports {
		p := *http.DeepCopy()
		change(&p)
		return desired.Ports{p}
	}
	type comparison struct{ Equal, Extends, Overlaps bool }
	for sentence, row := range map[string]struct {
		a, b desired.Ports
		want comparison
	}{
		"the same":                         {desired.Ports{http, admin}, desired.Ports{http, admin}, comparison{true, true, true}},
		"another order":                    {desired.Ports{http, admin}, desired.Ports{admin, http}, comparison{true, true, true}},
		"nil and empty":                    {nil, desired.Ports{}, comparison{true, true, true}},
		"one more":                         {desired.Ports{http, admin}, desired.Ports{http}, comparison{false, true, true}},
		"none and one":                     {desired.Ports{}, desired.Ports{http}, comparison{false, true, false}},
		"another name and another number":  {desired.Ports{admin}, desired.Ports{http}, comparison{false, false, false}},
		"another number":                   {with(func(p *discoveryv1.EndpointPort) { p.Port = new(int32(1)) }), desired.Ports{http}, comparison{false, false, false}},
		"another protocol":                 {with(func(p *discoveryv1.EndpointPort) { p.Protocol = new(corev1.ProtocolUDP) }), desired.Ports{http}, comparison{false, false, false}},
		"another name":                     {with(func(p *discoveryv1.EndpointPort) { p.Name = new("web") }), desired.Ports{http}, comparison{false, true, true}},
		"another appProtocol":              {with(func(p *discoveryv1.EndpointPort) { p.AppProtocol = new("h2c") }), desired.Ports{http}, comparison{false, true, true}},
		"an absent name is not the empty":  {with(func(p *discoveryv1.EndpointPort) { p.Name = nil }), with(func(p *discoveryv1.EndpointPort) { p.Name = new("") }), comparison{false, false, true}},
		"an absent number is not the zero": {with(func(p *discoveryv1.EndpointPort) { p.Port = nil }), with(func(p *discoveryv1.EndpointPort) { p.Port = new(int32(0)) }), comparison{false, false, false}},
		"an absent protocol":               {with(func(p *discoveryv1.EndpointPort) { p.Protocol = nil }), desired.Ports{http}, comparison{false, false, false}},
	} {
		t.Run(sentence, func(t *testing.T) {
			for _, pair := range [][2]desired.Ports{{row.a, row.b}, {row.b, row.a}} {
				got := comparison{pair[0].Equal(pair[1]), pair[0].Extends(pair[1]), pair[0].Overlaps(pair[1])}
				if diff := cmp.Diff(row.want, got); diff != "" {
					t.Errorf("%v and %v (-want +got):\n%s", pair[0], pair[1], diff)
				}
			}
		})
	}
}
