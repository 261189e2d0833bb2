package oracle

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/google/go-cmp/cmp"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

const http = `["http"=8080/TCP]`

type workloads = []v1beta1.ExternalWorkload

// TestCompute has a case for each sentence of the rules.
func TestCompute(t *testing.T) {
	for _, test := range []struct {
		sentence  string
		service   corev1.Service
		workloads workloads
		want      []string
	}{
		{
			sentence: "a Service of type ExternalName publishes nothing",
			service: makeService(func(s *corev1.Service) {
				s.Spec.Type = corev1.ServiceTypeExternalName
			}),
			workloads: workloads{makeWorkload("a", "192.0.2.1")},
		}, {
			sentence:  "a Service without selector publishes nothing",
			service:   makeService(func(s *corev1.Service) { s.Spec.Selector = map[string]string{} }),
			workloads: workloads{makeWorkload("a", "192.0.2.1")},
		}, {
			sentence: "workloads are those of the Service's namespace whose labels match its whole selector",
			service:  makeService(func(s *corev1.Service) { s.Spec.Selector["tier"] = "" }),
			workloads: workloads{
				makeWorkload("a", "192.0.2.1", func(w *v1beta1.ExternalWorkload) { w.Labels["tier"] = "" }),
				makeWorkload("b", "192.0.2.2"),
				makeWorkload("c", "192.0.2.3", func(w *v1beta1.ExternalWorkload) { w.Labels["tier"] = ""; w.Namespace = "other" }),
			},
			want: []string{"a 192.0.2.1 " + http + " ready serving"},
		}, {
			sentence:  "families are the Service's ipFamilies",
			service:   makeService(families(corev1.IPv6Protocol)),
			workloads: workloads{makeWorkload("a", "", withIPs("192.0.2.1", "2001:db8::1"))},
			want:      []string{"a 2001:db8::1 " + http + " ready serving"},
		}, {
			sentence:  "no ipFamilies given means both",
			service:   makeService(families()),
			workloads: workloads{makeWorkload("a", "", withIPs("192.0.2.1", "2001:db8::1"))},
			want:      []string{"a 192.0.2.1 " + http + " ready serving", "a 2001:db8::1 " + http + " ready serving"},
		}, {
			sentence:  "a probed workload is ready in the family whose address has passed",
			service:   makeService(families()),
			workloads: workloads{makeWorkload("a", "", withIPs("192.0.2.1", "2001:db8::1"), probed, passed("IPv6", "[2001:db8::1]:80 uid=a-uid"))},
			want:      []string{"a 192.0.2.1 " + http, "a 2001:db8::1 " + http + " ready serving"},
		}, {
			sentence: "a probed workload is not ready at another address, as another object, or by another text",
			service:  makeService(),
			workloads: workloads{
				makeWorkload("a", "192.0.2.1", probed, passed("IPv4", "192.0.2.11:80 uid=a-uid")),
				makeWorkload("b", "192.0.2.2", probed, passed("IPv4", "192.0.2.2:80 uid=a-uid")),
				makeWorkload("c", "192.0.2.3", probed, passed("IPv4", "all is well")),
				makeWorkload("d", "192.0.2.4", probed),
			},
			want: []string{"a 192.0.2.1 " + http, "b 192.0.2.2 " + http, "c 192.0.2.3 " + http, "d 192.0.2.4 " + http},
		}, {
			sentence:  "the address is published in canonical form",
			service:   makeService(families(corev1.IPv6Protocol)),
			workloads: workloads{makeWorkload("a", "2001:DB8:0::1")},
			want:      []string{"a 2001:db8::1 " + http + " ready serving"},
		}, {
			sentence:  "the first good address of a family counts",
			service:   makeService(),
			workloads: workloads{makeWorkload("a", "", withIPs("127.0.0.1", "2001:db8::1", "192.0.2.2", "192.0.2.3"))},
			want:      []string{"a 192.0.2.2 " + http + " ready serving"},
		}, {
			sentence:  "a workload with no address of the family is skipped in it",
			service:   makeService(families()),
			workloads: workloads{makeWorkload("a", "192.0.2.1")},
			want:      []string{"a 192.0.2.1 " + http + " ready serving", "a skipped in IPv6: no address of this family"},
		}, {
			sentence: "a targetPort that is a name takes the port with that name and protocol",
			service: makeService(servicePorts(
				corev1.ServicePort{Name: "dns", Port: 53, Protocol: corev1.ProtocolUDP, TargetPort: intstr.FromString("dns")})),
			workloads: workloads{
				makeWorkload("a", "192.0.2.1", withPorts(v1beta1.PortSpec{Name: "dns", Port: 53}, v1beta1.PortSpec{Name: "dns", Port: 5353, Protocol: "udp"})),
				makeWorkload("b", "192.0.2.2", withPorts(v1beta1.PortSpec{Name: "dns", Port: 53})),
			},
			want: []string{`a 192.0.2.1 ["dns"=5353/UDP] ready serving`, "b skipped in IPv4: none of the Service's ports is declared"},
		}, {
			sentence: "a targetPort that is a number must be declared",
			service:  makeService(),
			workloads: workloads{
				makeWorkload("a", "192.0.2.1", withPorts(v1beta1.PortSpec{Name: "http", Port: 8081})),
				makeWorkload("b", "192.0.2.2", withPorts(v1beta1.PortSpec{Port: 8080})),
			},
			want: []string{"a skipped in IPv4: none of the Service's ports is declared", "b 192.0.2.2 " + http + " ready serving"},
		}, {
			sentence:  "a targetPort that is not set is the port's own number",
			service:   makeService(servicePorts(corev1.ServicePort{Name: "http", Port: 8080})),
			workloads: workloads{makeWorkload("a", "192.0.2.1")},
			want:      []string{"a 192.0.2.1 " + http + " ready serving"},
		}, {
			sentence: "some of the Service's ports match: published with those",
			service: makeService(servicePorts(
				corev1.ServicePort{Name: "admin", Port: 1, TargetPort: intstr.FromString("admin")},
				corev1.ServicePort{Name: "http", Port: 80, TargetPort: intstr.FromString("http")})),
			workloads: workloads{makeWorkload("a", "192.0.2.1")},
			want:      []string{"a 192.0.2.1 " + http + " ready serving"},
		}, {
			sentence:  "a headless Service without ports is published with an empty port list",
			service:   makeService(headless, servicePorts()),
			workloads: workloads{makeWorkload("a", "192.0.2.1")},
			want:      []string{"a 192.0.2.1 [] ready serving hostname=a"},
		}, {
			sentence: "workloads with other port numbers behind one name are separate groups",
			service:  makeService(servicePorts(corev1.ServicePort{Name: "http", Port: 80, TargetPort: intstr.FromString("http")})),
			workloads: workloads{
				makeWorkload("a", "192.0.2.1"),
				makeWorkload("b", "192.0.2.2", withPorts(v1beta1.PortSpec{Name: "http", Port: 9090})),
			},
			want: []string{"a 192.0.2.1 " + http + " ready serving", `b 192.0.2.2 ["http"=9090/TCP] ready serving`},
		}, {
			sentence: "the port's name and appProtocol are the Service's, the name empty where it has none",
			service: makeService(servicePorts(
				corev1.ServicePort{Port: 80, TargetPort: intstr.FromInt32(8080), AppProtocol: ptr.To("kubernetes.io/h2c")})),
			workloads: workloads{makeWorkload("a", "192.0.2.1")},
			want:      []string{`a 192.0.2.1 [""=8080/TCP(kubernetes.io/h2c)] ready serving`},
		}, {
			sentence: "ready, serving and terminating follow the condition Ready and the deletion",
			service:  makeService(),
			workloads: workloads{
				makeWorkload("a", "192.0.2.1", deleting),
				makeWorkload("b", "192.0.2.2", notReady),
				makeWorkload("c", "192.0.2.3", notReady, deleting),
				makeWorkload("d", "192.0.2.4", func(w *v1beta1.ExternalWorkload) { w.Status.Conditions = nil }),
			},
			want: []string{
				"a 192.0.2.1 " + http + " serving terminating", "b 192.0.2.2 " + http,
				"c 192.0.2.3 " + http + " terminating", "d 192.0.2.4 " + http,
			},
		}, {
			sentence: "a drained workload is published as one that is being deleted, and an empty value drains nothing",
			service:  makeService(),
			workloads: workloads{
				makeWorkload("a", "192.0.2.1", annotated("external-workload.io/drain", "true")),
				makeWorkload("b", "192.0.2.2", annotated("external-workload.io/drain", "false"), notReady),
				makeWorkload("c", "192.0.2.3", annotated("external-workload.io/drain", "")),
			},
			want: []string{
				"a 192.0.2.1 " + http + " serving terminating", "b 192.0.2.2 " + http + " terminating",
				"c 192.0.2.3 " + http + " ready serving",
			},
		}, {
			sentence: "publishNotReadyAddresses makes every endpoint ready, and serving stays as it is",
			service:  makeService(func(s *corev1.Service) { s.Spec.PublishNotReadyAddresses = true }),
			workloads: workloads{
				makeWorkload("a", "192.0.2.1", notReady), makeWorkload("b", "192.0.2.2", deleting),
			},
			want: []string{"a 192.0.2.1 " + http + " ready", "b 192.0.2.2 " + http + " ready serving terminating"},
		}, {
			sentence:  "the zone is the workload's label, without trafficDistribution there are no hints",
			service:   makeService(),
			workloads: workloads{makeWorkload("a", "192.0.2.1", inZone("east"))},
			want:      []string{"a 192.0.2.1 " + http + " ready serving zone=east"},
		}, {
			sentence: "with trafficDistribution a ready endpoint with a zone has it as its hint",
			service:  makeService(traffic("PreferClose")),
			workloads: workloads{
				makeWorkload("a", "192.0.2.1", inZone("east")),
				makeWorkload("b", "192.0.2.2", inZone("east"), notReady),
				makeWorkload("c", "192.0.2.3"),
			},
			want: []string{
				"a 192.0.2.1 " + http + " ready serving zone=east hint=east",
				"b 192.0.2.2 " + http + " zone=east", "c 192.0.2.3 " + http + " ready serving",
			},
		}, {
			sentence: "with PreferSameNode every ready endpoint is hinted for a node that cannot exist",
			service:  makeService(traffic("PreferSameNode")),
			workloads: workloads{
				makeWorkload("a", "192.0.2.1", inZone("east")), makeWorkload("b", "192.0.2.2", notReady), makeWorkload("c", "192.0.2.3"),
			},
			want: []string{
				"a 192.0.2.1 " + http + " ready serving zone=east hint=east,node external-workload.invalid",
				"b 192.0.2.2 " + http, "c 192.0.2.3 " + http + " ready serving hint=node external-workload.invalid",
			},
		}, {
			sentence:  "a trafficDistribution that is not known gives no hints",
			service:   makeService(traffic("example.com/near")),
			workloads: workloads{makeWorkload("a", "192.0.2.1", inZone("east"))},
			want:      []string{"a 192.0.2.1 " + http + " ready serving zone=east"},
		}, {
			sentence: "a hostname only on a headless Service and only where the name is a DNS label",
			service:  makeService(headless),
			workloads: workloads{
				makeWorkload("a", "192.0.2.1"), makeWorkload("b.c", "192.0.2.2"),
				makeWorkload(strings.Repeat("d", 64), "192.0.2.3"),
			},
			want: []string{
				"a 192.0.2.1 " + http + " ready serving hostname=a", "b.c 192.0.2.2 " + http + " ready serving",
				strings.Repeat("d", 64) + " 192.0.2.3 " + http + " ready serving",
			},
		}, {
			sentence: "of two with one address and port the ready one is published",
			service:  makeService(),
			workloads: workloads{
				makeWorkload("a", "192.0.2.1", deleting), makeWorkload("b", "192.0.2.1", notReady), makeWorkload("c", "192.0.2.1"),
			},
			want: []string{
				"a skipped in IPv4: another workload has this address and port",
				"b skipped in IPv4: another workload has this address and port", "c 192.0.2.1 " + http + " ready serving",
			},
		}, {
			sentence: "of two with one address and port the older is published, then the first by name",
			service:  makeService(),
			workloads: workloads{
				makeWorkload("a", "192.0.2.1", func(w *v1beta1.ExternalWorkload) {
					w.CreationTimestamp = metav1.NewTime(epoch.Add(time.Second))
				}),
				makeWorkload("c", "192.0.2.1"), makeWorkload("b", "192.0.2.1"),
			},
			want: []string{
				"a skipped in IPv4: another workload has this address and port", "b 192.0.2.1 " + http + " ready serving",
				"c skipped in IPv4: another workload has this address and port",
			},
		},
	} {
		t.Run(test.sentence, func(t *testing.T) {
			got := lines(Compute(Rules{}, []corev1.Service{test.service}, test.workloads))
			if diff := cmp.Diff(join(test.want), join(got)); diff != "" {
				t.Errorf("published (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAddressesThatCannotBePublished(t *testing.T) {
	for _, address := range []string{
		"", " ", "web.example", "192.0.2.1 ", " 192.0.2.1", "192.0.2.01", "192.0.2", "::ffff:192.0.2.1", "0.0.0.0", "::",
		"127.0.0.1", "::1", "169.254.1.1", "fe80::1", "2001:db8::1%eth0", "224.0.0.1", "ff02::1", "255.255.255.255", "192.0.2.1/24",
	} {
		t.Run(address, func(t *testing.T) {
			bad, good := makeWorkload("bad", address), makeWorkload("good", "192.0.2.9")
			got := lines(Compute(Rules{}, []corev1.Service{makeService()}, workloads{bad, good}))
			want := []string{"bad skipped in IPv4: address cannot be published", "good 192.0.2.9 " + http + " ready serving"}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("published (-want +got):\n%s", diff)
			}
		})
	}
}
