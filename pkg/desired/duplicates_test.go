package desired_test

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

func TestDuplicateAddress(t *testing.T) {
	older := build.Created(build.Epoch.Add(-time.Hour))
	workload := build.Workload
	published := func(name string, flags string) string {
		return "IPv4 " + name + " 192.0.2.1 http:8080/TCP" + flags
	}
	named := build.Service("shop/web", build.Ports(build.Port("http", 80, build.ToName("http")), build.Port("admin", 81, build.ToName("admin"))))
	ports := func(http, admin int32) build.WorkloadOption {
		var list []v1beta1.PortSpec
		if http != 0 {
			list = append(list, build.WorkloadPort("http", http, "TCP"))
		}
		if admin != 0 {
			list = append(list, build.WorkloadPort("admin", admin, "TCP"))
		}
		return build.WorkloadPorts(list...)
	}
	plain := build.Service("shop/web")
	check(t, map[string]row{
		"by name if all else is equal": {
			plain, with(workload("shop/b"), workload("shop/a")),
			[]string{published("a", " ready serving"), "skip b DuplicateAddress IPv4 for a"},
		},
		"the oldest before the first by name": {
			plain, with(workload("shop/a"), workload("shop/b", older)),
			[]string{published("b", " ready serving"), "skip a DuplicateAddress IPv4 for b"},
		},
		"a ready one before the oldest": {
			plain, with(workload("shop/a"), workload("shop/b", older, build.NotReady())),
			[]string{published("a", " ready serving"), "skip b DuplicateAddress IPv4 for a"},
		},
		"one that is not being deleted before the oldest": {
			plain, with(workload("shop/a"), workload("shop/b", older, build.Deleting())),
			[]string{published("a", " ready serving"), "skip b DuplicateAddress IPv4 for a"},
		},
		"one that is not drained before the oldest": {
			plain, with(workload("shop/a"), workload("shop/b", older, build.Drained())),
			[]string{published("a", " ready serving"), "skip b DuplicateAddress IPv4 for a"},
		},
		"one being deleted is no better than one that is not ready": {
			plain, with(workload("shop/a", build.Deleting()), workload("shop/b", older, build.NotReady())),
			[]string{published("b", ""), "skip a DuplicateAddress IPv4 for b"},
		},
		"readiness counts even if the Service publishes all": {
			build.Service("shop/web", build.PublishNotReady()), with(workload("shop/a", older, build.NotReady()), workload("shop/b")),
			[]string{published("b", " ready serving"), "skip a DuplicateAddress IPv4 for b"},
		},
		"two texts of one address": {
			build.Service("shop/web", build.Families(corev1.IPv6Protocol)),
			with(workload("shop/a", build.IPs("2001:db8::1")), workload("shop/b", build.IPs("2001:DB8:0::1"))),
			[]string{"IPv6 a 2001:db8::1 http:8080/TCP ready serving", "skip b DuplicateAddress IPv6 for a"},
		},
		"of three, one is published": {
			plain, with(workload("shop/a"), workload("shop/b"), workload("shop/c", older)),
			[]string{published("c", " ready serving"), "skip a DuplicateAddress IPv4 for c", "skip b DuplicateAddress IPv4 for c"},
		},
		"one address with different ports is two endpoints": {
			named, with(workload("shop/a", ports(8080, 0)), workload("shop/b", ports(9090, 0))),
			[]string{"IPv4 a 192.0.2.1 http:8080/TCP ready serving", "IPv4 b 192.0.2.1 http:9090/TCP ready serving"},
		},
		"one common port is enough": {
			named, with(workload("shop/a", ports(8080, 1)), workload("shop/b", ports(9090, 1))),
			[]string{"IPv4 a 192.0.2.1 http:8080/TCP,admin:1/TCP ready serving", "skip b DuplicateAddress IPv4 for a"},
		},
		"a skipped workload does not displace another": {
			named, with(workload("shop/a", ports(1, 0)), workload("shop/b", ports(1, 2)), workload("shop/c", ports(3, 2))),
			[]string{
				"IPv4 a 192.0.2.1 http:1/TCP ready serving", "IPv4 c 192.0.2.1 http:3/TCP,admin:2/TCP ready serving",
				"skip b DuplicateAddress IPv4 for a",
			},
		},
		"without ports, one address is one endpoint": {
			build.Service("shop/web", build.Headless(), build.Ports()), with(workload("shop/a"), workload("shop/b")),
			[]string{"IPv4 a 192.0.2.1  ready serving hostname=a", "skip b DuplicateAddress IPv4 for a"},
		},
		"each family separately": {
			build.Service("shop/web", dualStack),
			with(workload("shop/a", build.IPs("192.0.2.1", "2001:db8::1")), workload("shop/b", build.IPs("192.0.2.1", "2001:db8::2"))),
			[]string{
				published("a", " ready serving"), "IPv6 a 2001:db8::1 http:8080/TCP ready serving",
				"IPv6 b 2001:db8::2 http:8080/TCP ready serving", "skip b DuplicateAddress IPv4 for a",
			},
		},
		"two pairs": {
			plain, with(
				workload("shop/a"), workload("shop/b", build.IPs("192.0.2.2")),
				workload("shop/c"), workload("shop/d", build.IPs("192.0.2.2")),
			),
			[]string{
				published("a", " ready serving"), "IPv4 b 192.0.2.2 http:8080/TCP ready serving",
				"skip c DuplicateAddress IPv4 for a", "skip d DuplicateAddress IPv4 for b",
			},
		},
	})
}

// With many addresses, the search has to probe several places of its table.
func TestNoFalseDuplicates(t *testing.T) {
	var objects []*v1beta1.ExternalWorkload
	for i := range 3000 {
		objects = append(objects, build.Workload(fmt.Sprintf("shop/w%d", i), build.IPs(fmt.Sprintf("10.0.%d.%d", i/250, i%250))))
	}
	objects = append(objects, build.Workload("shop/x", build.IPs("10.0.7.7")))
	got := compute(build.Service("shop/web"), objects)
	if len(got.Families[0].Endpoints) != 3000 || len(got.Skipped) != 1 || got.Skipped[0].Workload.Name != "x" {
		t.Errorf("%d endpoints, %d skipped; want 3000 and only x", len(got.Families[0].Endpoints), len(got.Skipped))
	}
}
