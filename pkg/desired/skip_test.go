package desired_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

func TestSkipMessage(t *testing.T) {
	for want, given := range map[string]struct {
		service *corev1.Service
		options []build.WorkloadOption
	}{
		`not published for Service web: spec.workloadIPs has no address of its families (IPv6)`: {
			build.Service("shop/web", build.Families(corev1.IPv6Protocol)), nil,
		},
		`not published for Service web: spec.workloadIPs has no address of its families (IPv4, IPv6)`: {
			build.Service("shop/web", build.Families()), []build.WorkloadOption{build.IPs()},
		},
		`not published as IPv4: "10.0.0.01" is not an IP address; correct spec.workloadIPs`: {
			build.Service("shop/web"), []build.WorkloadOption{build.IPs("10.0.0.01")},
		},
		`not published as IPv4: 127.0.0.1 is a loopback address, which no other machine can reach; correct spec.workloadIPs`: {
			build.Service("shop/web"), []build.WorkloadOption{build.IPs("127.0.0.1", "127.0.0.2")},
		},
		`not published for Service web: the workload has none of its target ports (named/TCP, 8080/UDP, 82/TCP); add the port to spec.ports or correct the Service's targetPort`: {
			build.Service("shop/web", build.Ports(
				build.Port("a", 80, build.ToName("named")), build.Port("b", 81, build.ToNumber(8080), build.Over("UDP")), build.Port("c", 82, build.ToNumber(0)),
			)), nil,
		},
		`not published: the object cannot be read: spec.ports is a text; correct it`: {
			build.Service("shop/web"), []build.WorkloadOption{build.Annotation(v1beta1.UnreadableAnnotation, "spec.ports is a text")},
		},
		`not published for Service web: workload 0 is published with the same address 192.0.2.1 and port`: {
			build.Service("shop/web"), []build.WorkloadOption{build.IPs("192.0.2.1")},
		},
	} {
		t.Run(want, func(t *testing.T) {
			skipped := compute(given.service, with(build.Workload("shop/0"), build.Workload("shop/a", given.options...))).Skipped
			if len(skipped) == 0 {
				t.Fatal("nothing is skipped")
			}
			if diff := cmp.Diff(want, skipped[len(skipped)-1].Message()); diff != "" {
				t.Errorf("message differs (-want +got):\n%s", diff)
			}
		})
	}
}
