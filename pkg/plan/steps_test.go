package plan_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/external-workload/controller/internal/build"
)

func TestStepsOfEndpoints(t *testing.T) {
	check(t, map[string]change{
		"lost and regained readiness are one write each": {
			workloads: numbered(1, 3),
			happens:   func(c *cluster) { c.put(numbered(2, 2, build.NotReady())...) },
			want:      []string{"1 update s1 [http:8080/TCP] w01@192.0.2.1 -w02@192.0.2.2 w03@192.0.2.3"},
		},
		"a zone changes in one write": {
			workloads: numbered(1, 1),
			happens:   func(c *cluster) { c.put(numbered(1, 1, build.Zone("z1"))...) },
			want:      []string{"1 update s1 [http:8080/TCP] w01@192.0.2.1{zone=z1}"},
		},
		"an address changes in two writes of one slice": {
			workloads: numbered(1, 2),
			happens:   func(c *cluster) { c.put(numbered(1, 1, build.IPs("192.0.2.9"))...) },
			want: []string{
				"1 update s1 [http:8080/TCP] -w01@192.0.2.1 w02@192.0.2.2",
				"2 update s1 [http:8080/TCP] w01@192.0.2.9 w02@192.0.2.2",
			},
		},
		"the address of an unready endpoint changes in one write": {
			workloads: numbered(1, 1, build.NotReady()),
			happens:   func(c *cluster) { c.put(numbered(1, 1, build.NotReady(), build.IPs("192.0.2.9"))...) },
			want:      []string{"1 update s1 [http:8080/TCP] -w01@192.0.2.9"},
		},
		"a new address with new readiness is one write": {
			workloads: numbered(1, 1, build.NotReady()),
			happens:   func(c *cluster) { c.put(numbered(1, 1, build.IPs("192.0.2.9"))...) },
			want:      []string{"1 update s1 [http:8080/TCP] w01@192.0.2.9"},
		},
		"all changed addresses share the two writes": {
			workloads: numbered(1, 3),
			happens: func(c *cluster) {
				c.put(numbered(1, 1, build.IPs("192.0.2.9"))...)
				c.put(numbered(3, 3, build.IPs("192.0.2.8"))...)
			},
			want: []string{
				"1 update s1 [http:8080/TCP] -w01@192.0.2.1 w02@192.0.2.2 -w03@192.0.2.3",
				"2 update s1 [http:8080/TCP] w01@192.0.2.9 w02@192.0.2.2 w03@192.0.2.8",
			},
		},
		"an identity changes in two writes": {
			workloads: numbered(1, 2),
			happens:   func(c *cluster) { c.put(numbered(1, 1, build.MeshTLS("new", "new"))...) },
			want: []string{
				"1 update s1 [http:8080/TCP] -w01@192.0.2.1 w02@192.0.2.2",
				"2 update s1 [http:8080/TCP] w01@192.0.2.1 w02@192.0.2.2",
			},
		},
		"an identity of a hinted endpoint changes without a gap": {
			service:   build.Service("shop/web", build.Traffic(corev1.ServiceTrafficDistributionPreferClose)),
			workloads: numbered(1, 2, build.Zone("z1")),
			happens:   func(c *cluster) { c.put(numbered(1, 1, build.Zone("z1"), build.MeshTLS("new", "new"))...) },
			want: []string{
				"1 update s1 [http:8080/TCP] w01@192.0.2.1{zone=z1} w02@192.0.2.2~z1",
				"2 update s1 [http:8080/TCP] w01@192.0.2.1~z1 w02@192.0.2.2~z1",
			},
		},
		"an identity that changes with the hint is one write": {
			service:   build.Service("shop/web", build.Traffic(corev1.ServiceTrafficDistributionPreferClose)),
			workloads: numbered(1, 1, build.Zone("z1")),
			happens:   func(c *cluster) { c.put(numbered(1, 1, build.Zone("z2"), build.MeshTLS("new", "new"))...) },
			want:      []string{"1 update s1 [http:8080/TCP] w01@192.0.2.1~z2"},
		},
		"the identity of an unready endpoint waits until it is ready": {
			workloads: numbered(1, 1, build.NotReady()),
			happens:   func(c *cluster) { c.put(numbered(1, 1, build.NotReady(), build.MeshTLS("new", "new"))...) },
		},
		"a withdrawn endpoint has no hint": {
			service:   build.Service("shop/web", build.Traffic(corev1.ServiceTrafficDistributionPreferClose)),
			workloads: numbered(1, 1, build.Zone("z1")),
			happens:   func(c *cluster) { c.put(numbered(1, 1, build.Zone("z1"), build.IPs("192.0.2.9"))...) },
			want: []string{
				"1 update s1 [http:8080/TCP] -w01@192.0.2.1{zone=z1}",
				"2 update s1 [http:8080/TCP] w01@192.0.2.9~z1",
			},
		},
		"a workload recreated with the same values is one write": {
			workloads: numbered(1, 1),
			happens:   func(c *cluster) { c.put(numbered(1, 1, build.UID("other"))...) },
			want:      []string{"1 update s1 [http:8080/TCP] w01@192.0.2.1{uid=other}"},
		},
		"a workload recreated with another address takes two": {
			workloads: numbered(1, 1),
			happens:   func(c *cluster) { c.put(numbered(1, 1, build.UID("other"), build.IPs("192.0.2.9"))...) },
			want: []string{
				"1 update s1 [http:8080/TCP] -w01@192.0.2.1",
				"2 update s1 [http:8080/TCP] w01@192.0.2.9{uid=other}",
			},
		},
		"the last endpoint is removed, then its slice": {
			workloads: numbered(1, 1),
			happens:   func(c *cluster) { c.remove("w01") },
			want:      []string{"1 update s1 [http:8080/TCP]", "2 delete s1 [http:8080/TCP]"},
		},
		"nothing happens": {workloads: numbered(1, 5), happens: func(*cluster) {}},
	})
}

func TestStepsBetweenWorkloads(t *testing.T) {
	check(t, map[string]change{
		"two workloads swap their addresses": {
			workloads: numbered(1, 2),
			happens: func(c *cluster) {
				c.put(numbered(1, 1, build.IPs("192.0.2.2"))...)
				c.put(numbered(2, 2, build.IPs("192.0.2.1"))...)
			},
			want: []string{
				"1 update s1 [http:8080/TCP] -w01@192.0.2.1 -w02@192.0.2.2",
				"2 update s1 [http:8080/TCP] w01@192.0.2.2 w02@192.0.2.1",
			},
		},
		"a workload is renamed": {
			workloads: numbered(1, 2),
			happens: func(c *cluster) {
				c.remove("w01")
				c.put(build.Workload("shop/z", build.IPs("192.0.2.1")))
			},
			want: []string{
				"1 update s1 [http:8080/TCP] w02@192.0.2.2",
				"2 update s1 [http:8080/TCP] w02@192.0.2.2 z@192.0.2.1",
			},
		},
		"an address moves to a workload of another slice, after it was withdrawn": {
			workloads: numbered(1, 4), max: 2,
			happens: func(c *cluster) {
				c.remove("w01")
				c.put(numbered(4, 4, build.NotReady())...)
				c.converge()
				c.put(numbered(4, 4, build.IPs("192.0.2.2"))...)
				c.remove("w02")
			},
			want: []string{
				"1 update s1 [http:8080/TCP]",
				"1 update s2 [http:8080/TCP] w03@192.0.2.3 w04@192.0.2.2 after s1",
				"2 delete s1 [http:8080/TCP]",
			},
		},
		"three slices exchange addresses in a cycle": {
			workloads: numbered(1, 6), max: 2,
			happens: func(c *cluster) {
				c.put(numbered(1, 1, build.NotReady())...)
				c.put(numbered(5, 5, build.NotReady())...)
				c.converge()
				c.put(numbered(1, 1, build.IPs("192.0.2.3"))...)
				c.put(numbered(5, 5, build.IPs("192.0.2.2"))...)
				c.remove("w02", "w03")
			},
			want: []string{
				// The first slice cannot both come before the third and after the second.
				"1 update s2 [http:8080/TCP] w04@192.0.2.4",
				"1 update s1 [http:8080/TCP] -w01@192.0.2.1",
				"1 update s3 [http:8080/TCP] w05@192.0.2.2 w06@192.0.2.6 after s1",
				"2 update s1 [http:8080/TCP] w01@192.0.2.3",
			},
		},
		"a withdrawal does not wait for the publication of its slice": {
			workloads: numbered(1, 4), max: 2,
			happens: func(c *cluster) {
				c.put(numbered(2, 2, build.NotReady())...)
				c.converge()
				c.put(numbered(2, 2, build.IPs("192.0.2.3"))...)
				c.put(numbered(3, 3, build.IPs("192.0.2.9"))...)
				c.put(build.Workload("shop/z", build.IPs("192.0.2.1")))
				c.remove("w01")
			},
			want: []string{
				"1 update s2 [http:8080/TCP] -w03@192.0.2.3 w04@192.0.2.4",
				"1 update s1 [http:8080/TCP] -w02@192.0.2.2",
				"2 update s2 [http:8080/TCP] w03@192.0.2.9 w04@192.0.2.4",
				"2 update s1 [http:8080/TCP] w02@192.0.2.3 z@192.0.2.1",
			},
		},
		"an address moves from an unready workload": {
			workloads: numbered(1, 2), max: 1,
			happens: func(c *cluster) {
				c.put(numbered(2, 2, build.NotReady())...)
				c.converge()
				c.put(numbered(1, 1, build.NotReady(), build.IPs("192.0.2.9"))...)
				c.put(numbered(2, 2, build.IPs("192.0.2.1"))...)
			},
			want: []string{
				"1 update s1 [http:8080/TCP] -w01@192.0.2.9",
				"1 update s2 [http:8080/TCP] w02@192.0.2.1 after s1",
			},
		},
		"of two workloads with one address, the second is published when the first is removed": {
			workloads: append(numbered(1, 1), build.Workload("shop/z")),
			happens:   func(c *cluster) { c.remove("w01") },
			want:      []string{"1 update s1 [http:8080/TCP]", "2 update s1 [http:8080/TCP] z@192.0.2.1"},
		},
	})
}

func TestStepsOfPorts(t *testing.T) {
	to := func(number int32) func(*cluster) {
		return func(c *cluster) {
			c.service = build.Service("shop/web", build.Ports(build.Port("http", 80, build.ToNumber(number))))
		}
	}
	both := build.WorkloadPorts(build.WorkloadPort("http", 8080, "TCP"), build.WorkloadPort("new", 9090, "TCP"))
	check(t, map[string]change{
		"the target port changes slice by slice, on the same slices": {
			workloads: numbered(1, 4, both), max: 2, happens: to(9090),
			want: []string{
				"1 update s2 [http:8080/TCP] -w03@192.0.2.3 -w04@192.0.2.4",
				"2 update s2 [http:9090/TCP] w03@192.0.2.3 w04@192.0.2.4",
				"3 update s1 [http:8080/TCP] -w01@192.0.2.1 -w02@192.0.2.2",
				"4 update s1 [http:9090/TCP] w01@192.0.2.1 w02@192.0.2.2",
			},
		},
		"a slice without ready endpoints changes in one write": {
			workloads: numbered(1, 2, both, build.NotReady()), happens: to(9090),
			want: []string{"1 update s1 [http:9090/TCP] -w01@192.0.2.1 -w02@192.0.2.2"},
		},
		"a port is added in one write": {
			workloads: numbered(1, 1, both),
			happens: func(c *cluster) {
				c.service = build.Service("shop/web", build.Ports(build.Port("http", 80, build.ToNumber(8080)), build.Port("new", 9090)))
			},
			want: []string{"1 update s1 [http:8080/TCP,new:9090/TCP] w01@192.0.2.1"},
		},
		"a port gets a new name and number in two writes": {
			workloads: numbered(1, 1, both),
			happens: func(c *cluster) {
				c.service = build.Service("shop/web", build.Ports(build.Port("web", 80, build.ToNumber(9090))))
			},
			want: []string{
				"1 update s1 [http:8080/TCP] -w01@192.0.2.1",
				"2 update s1 [web:9090/TCP] w01@192.0.2.1",
			},
		},
		"a port that is only renamed changes in one write": {
			workloads: numbered(1, 1, both),
			happens: func(c *cluster) {
				c.service = build.Service("shop/web", build.Ports(build.Port("web", 80, build.ToNumber(8080))))
			},
			want: []string{"1 update s1 [web:8080/TCP] w01@192.0.2.1"},
		},
		"a workload that changes its ports is withdrawn before it is published elsewhere": {
			service: build.Service("shop/web", build.Ports(build.Port("http", 80, build.ToName("http")))), workloads: numbered(1, 3),
			happens: func(c *cluster) {
				c.put(numbered(2, 2, build.WorkloadPorts(build.WorkloadPort("http", 9090, "TCP")))...)
			},
			want: []string{
				"1 update s1 [http:8080/TCP] w01@192.0.2.1 w03@192.0.2.3",
				"1 create s2 [http:9090/TCP] w02@192.0.2.2 after s1",
			},
		},
	})
}

func TestStepsOfTheService(t *testing.T) {
	gone := []string{"1 update s1 [http:8080/TCP]", "2 delete s1 [http:8080/TCP]"}
	check(t, map[string]change{
		"a Service that is being deleted gets no new slice": {
			service: build.Service("shop/web", build.Deleting()),
			happens: func(c *cluster) { c.put(numbered(1, 1)...) },
		},
		"a deleted Service's slices are emptied, then deleted": {
			workloads: numbered(1, 2), happens: func(c *cluster) { c.service = nil }, want: gone,
		},
		"a Service's selector is removed": {
			workloads: numbered(1, 2), happens: func(c *cluster) { c.service = build.Service("shop/web", build.NoSelector()) }, want: gone,
		},
		"a Service becomes an ExternalName": {
			workloads: numbered(1, 2),
			happens:   func(c *cluster) { c.service = build.Service("shop/web", build.Type(corev1.ServiceTypeExternalName)) }, want: gone,
		},
		"a Service recreated gets new slices once the old ones are empty": {
			workloads: numbered(1, 2), happens: func(c *cluster) { c.service = build.Service("shop/web", build.UID("new")) },
			want: []string{
				"1 update s1 [http:8080/TCP]",
				"1 create s2 [http:8080/TCP] w01@192.0.2.1 w02@192.0.2.2 after s1",
				"2 delete s1 [http:8080/TCP]",
			},
		},
		"a Service changes its family": {
			workloads: numbered(1, 1, build.IPs("192.0.2.1", "2001:db8::1")),
			happens:   func(c *cluster) { c.service = build.Service("shop/web", build.Families(corev1.IPv6Protocol)) },
			want: []string{
				"1 update s1 [http:8080/TCP]",
				"1 create s2 [http:8080/TCP] w01@2001:db8::1 after s1",
				"2 delete s1 [http:8080/TCP]",
			},
		},
		"a Service gets labels": {
			workloads: numbered(1, 1), happens: func(c *cluster) { c.service = build.Service("shop/web", build.Label("team", "red")) },
			want: []string{"1 update s1 [http:8080/TCP] w01@192.0.2.1"},
		},
		"a Service gets an annotation": {
			workloads: numbered(1, 1), happens: func(c *cluster) { c.service = build.Service("shop/web", build.Annotation("a", "b")) },
		},
		"a Service sets publishNotReadyAddresses": {
			workloads: numbered(1, 1, build.NotReady()), happens: func(c *cluster) { c.service = build.Service("shop/web", build.PublishNotReady()) },
			want: []string{"1 update s1 [http:8080/TCP] w01@192.0.2.1{serving=false}"},
		},
		"a Service prefers near endpoints": {
			workloads: numbered(1, 1, build.Zone("z1")), happens: func(c *cluster) { c.service = build.Service("shop/web", build.Traffic("PreferClose")) },
			want: []string{"1 update s1 [http:8080/TCP] w01@192.0.2.1~z1"},
		},
	})
}
