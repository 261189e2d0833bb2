package plan_test

import (
	"testing"

	"github.com/external-workload/controller/internal/build"
)

func TestPacking(t *testing.T) {
	byName := build.Service("shop/web", build.Ports(build.Port("http", 80, build.ToName("http"))))
	other := build.WorkloadPorts(build.WorkloadPort("http", 9090, "TCP"))
	check(t, map[string]change{
		"new endpoints fill new slices": {
			max: 2, happens: func(c *cluster) { c.put(numbered(1, 5)...) },
			want: []string{
				"1 create s1 [http:8080/TCP] w01@192.0.2.1 w02@192.0.2.2",
				"1 create s2 [http:8080/TCP] w03@192.0.2.3 w04@192.0.2.4",
				"1 create s3 [http:8080/TCP] w05@192.0.2.5",
			},
		},
		"another endpoint goes to a slice with room": {
			workloads: numbered(1, 3), max: 2, happens: func(c *cluster) { c.put(numbered(4, 4)...) },
			want: []string{"1 update s2 [http:8080/TCP] w03@192.0.2.3 w04@192.0.2.4"},
		},
		"full slices stay as they are": {
			workloads: numbered(1, 4), max: 2, happens: func(c *cluster) { c.put(numbered(5, 5)...) },
			want: []string{"1 create s3 [http:8080/TCP] w05@192.0.2.5"},
		},
		"the fullest slice that has room for all the rest takes it": {
			workloads: numbered(1, 6), max: 3,
			happens: func(c *cluster) {
				c.remove("w01", "w04", "w05")
				c.converge()
				c.put(numbered(7, 7)...)
			},
			want: []string{"1 update s1 [http:8080/TCP] w02@192.0.2.2 w03@192.0.2.3 w07@192.0.2.7"},
		},
		"a slice that is written anyway is filled first": {
			workloads: numbered(1, 6), max: 3,
			happens: func(c *cluster) {
				c.remove("w01")
				c.converge()
				c.remove("w04", "w05")
				c.put(numbered(7, 7)...)
			},
			want: []string{"1 update s2 [http:8080/TCP] w06@192.0.2.6 w07@192.0.2.7"},
		},
		"no endpoint moves to fill a gap": {
			workloads: numbered(1, 6), max: 3, happens: func(c *cluster) { c.remove("w01", "w02", "w04", "w05") },
			want: []string{
				"1 update s2 [http:8080/TCP] w06@192.0.2.6",
				"1 update s1 [http:8080/TCP] w03@192.0.2.3",
			},
		},
		"a lower limit moves no endpoint": {
			workloads: numbered(1, 4), max: 4, happens: func(c *cluster) { c.options.MaxEndpoints = 2 },
		},
		"a slice over the limit gets no more endpoints": {
			workloads: numbered(1, 4), max: 4,
			happens: func(c *cluster) {
				c.options.MaxEndpoints = 2
				c.put(numbered(4, 4, build.NotReady())...)
				c.put(numbered(5, 5)...)
			},
			want: []string{
				"1 update s1 [http:8080/TCP] w01@192.0.2.1 w02@192.0.2.2 w03@192.0.2.3 -w04@192.0.2.4",
				"1 create s2 [http:8080/TCP] w05@192.0.2.5",
			},
		},
		"endpoints with other ports get another slice": {
			service: byName, workloads: numbered(1, 1), happens: func(c *cluster) { c.put(numbered(2, 3, other)...) },
			want: []string{"1 create s2 [http:9090/TCP] w02@192.0.2.2 w03@192.0.2.3"},
		},
		"each family has its own slice": {
			service: build.Service("shop/web", build.Families("IPv4", "IPv6")),
			happens: func(c *cluster) { c.put(build.Workload("shop/a", build.IPs("192.0.2.1", "2001:db8::1"))) },
			want: []string{
				"1 create s1 [http:8080/TCP] a@192.0.2.1",
				"1 create s2 [http:8080/TCP] a@2001:db8::1",
			},
		},
	})
}
