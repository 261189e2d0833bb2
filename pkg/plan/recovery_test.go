package plan_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/desired"
)

// named is a Service whose target port has a name, and port gives a workload that port.
var named = build.Service("shop/web", build.Ports(build.Port("http", 80, build.ToName("http"))))

// renamed is the plain Service, whose port has got another name.
var renamed = build.Service("shop/web", build.Ports(build.Port("web", 80, build.ToNumber(8080))))

var twoPorts = build.WorkloadPorts(build.WorkloadPort("http", 8080, corev1.ProtocolTCP), build.WorkloadPort("admin", 9090, corev1.ProtocolTCP))

func port(number int32) build.WorkloadOption {
	return build.WorkloadPorts(build.WorkloadPort("http", number, corev1.ProtocolTCP))
}

// TestIdentitySettles: consumers look up the identity of an endpoint in their own cache,
// so it is announced only after they have had time to receive it.
func TestIdentitySettles(t *testing.T) {
	for sentence, row := range map[string]struct {
		service *corev1.Service
		before  []build.WorkloadOption
		after   []build.WorkloadOption
		// The writes at once and those after 100 ms.
		atOnce, later []string
	}{
		"a changed identity alone is published after it has settled": {
			after: []build.WorkloadOption{build.MeshTLS("new", "new")},
			later: []string{"1 update s1 [http:8080/TCP] -w01@192.0.2.1", "2 update s1 [http:8080/TCP] w01@192.0.2.1"},
		},
		"a changed identity that hints announce is, too": {
			service: build.Service("shop/web", build.Traffic(corev1.ServiceTrafficDistributionPreferClose)),
			before:  []build.WorkloadOption{build.Zone("z1")},
			after:   []build.WorkloadOption{build.Zone("z1"), build.MeshTLS("new", "new")},
			later:   []string{"1 update s1 [http:8080/TCP] w01@192.0.2.1{zone=z1}", "2 update s1 [http:8080/TCP] w01@192.0.2.1~z1"},
		},
		"an address that changes with it is withdrawn at once": {
			after:  []build.WorkloadOption{build.MeshTLS("new", "new"), build.IPs("192.0.2.9")},
			atOnce: []string{"1 update s1 [http:8080/TCP] -w01@192.0.2.1"},
			later:  []string{"1 update s1 [http:8080/TCP] w01@192.0.2.9"},
		},
		"ports that change with it are withdrawn at once": {
			service: named,
			before:  []build.WorkloadOption{port(8080)},
			after:   []build.WorkloadOption{build.MeshTLS("new", "new"), port(9090)},
			atOnce:  []string{"1 update s1 [http:8080/TCP] -w01@192.0.2.1", "2 update s1 [http:9090/TCP] -w01@192.0.2.1"},
			later:   []string{"1 update s1 [http:9090/TCP] w01@192.0.2.1"},
		},
		"lost readiness is published at once": {
			after:  []build.WorkloadOption{build.MeshTLS("new", "new"), build.NotReady()},
			atOnce: []string{"1 update s1 [http:8080/TCP] -w01@192.0.2.1"},
		},
		"new readiness waits": {
			before: []build.WorkloadOption{build.NotReady()},
			after:  []build.WorkloadOption{build.MeshTLS("new", "new")},
			later:  []string{"1 update s1 [http:8080/TCP] w01@192.0.2.1"},
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			if row.service == nil {
				row.service = build.Service("shop/web")
			}
			c := newCluster(t, row.service, numbered(1, 1, row.before...)...)
			c.converge()
			c.put(numbered(1, 1, row.after...)...)
			c.now = c.now.Add(99 * time.Millisecond)
			if diff := cmp.Diff(row.atOnce, c.run()); diff != "" {
				t.Errorf("writes at once differ (-want +got):\n%s", diff)
			}
			c.now = c.now.Add(time.Millisecond)
			if diff := cmp.Diff(row.later, c.run()); diff != "" {
				t.Errorf("writes later differ (-want +got):\n%s", diff)
			}
		})
	}
}

// TestSecondStepsAwaitRecovery: a consumer that lists again after an interruption sees
// only the last of several writes.
func TestSecondStepsAwaitRecovery(t *testing.T) {
	put := func(objects ...*v1beta1.ExternalWorkload) func(*cluster) {
		return func(c *cluster) { c.put(objects...) }
	}
	for sentence, row := range map[string]struct {
		change
		during, after []string
	}{
		"a changed address is withdrawn at once": {
			change: change{workloads: numbered(1, 2), happens: put(numbered(1, 1, build.IPs("192.0.2.9"))...)},
			during: []string{"1 update s1 [http:8080/TCP] -w01@192.0.2.1 w02@192.0.2.2"},
			after:  []string{"1 update s1 [http:8080/TCP] w01@192.0.2.9 w02@192.0.2.2"},
		},
		"lost readiness is published at once": {
			change: change{workloads: numbered(1, 1), happens: put(numbered(1, 1, build.NotReady())...)},
			during: []string{"1 update s1 [http:8080/TCP] -w01@192.0.2.1"},
		},
		"readiness lost together with the address keeps the former address, so that the new one waits": {
			change: change{workloads: numbered(1, 1), happens: put(numbered(1, 1, build.NotReady(), build.IPs("192.0.2.9"))...)},
			during: []string{"1 update s1 [http:8080/TCP] -w01@192.0.2.1"},
			after:  []string{"1 update s1 [http:8080/TCP] -w01@192.0.2.9"},
		},
		"readiness regained at the same address is published at once": {
			change: change{workloads: numbered(1, 1), happens: func(c *cluster) {
				c.put(numbered(1, 1, build.NotReady())...)
				c.converge()
				c.put(numbered(1, 1)...)
			}},
			during: []string{"1 update s1 [http:8080/TCP] w01@192.0.2.1"},
		},
		"the first readiness in a slice waits, as the workload may have been ready in another one": {
			change: change{workloads: numbered(1, 1, build.NotReady()), happens: put(numbered(1, 1)...)},
			after:  []string{"1 update s1 [http:8080/TCP] w01@192.0.2.1"},
		},
		"a new address with new readiness waits": {
			change: change{workloads: numbered(1, 1, build.NotReady()), happens: put(numbered(1, 1, build.IPs("192.0.2.9"))...)},
			after:  []string{"1 update s1 [http:8080/TCP] w01@192.0.2.9"},
		},
		"a new workload waits, as it may have the address of a deleted one": {
			change: change{workloads: numbered(1, 1), happens: func(c *cluster) {
				c.remove("w01")
				c.put(numbered(2, 2, build.IPs("192.0.2.1"))...)
			}},
			during: []string{"1 update s1 [http:8080/TCP]"},
			after:  []string{"1 update s1 [http:8080/TCP] w02@192.0.2.1"},
		},
		"an identity stays until it can be announced": {
			change: change{workloads: numbered(1, 1), happens: put(numbered(1, 1, build.MeshTLS("new", "new"))...)},
			after:  []string{"1 update s1 [http:8080/TCP] -w01@192.0.2.1", "2 update s1 [http:8080/TCP] w01@192.0.2.1"},
		},
		"readiness lost together with the identity keeps the identity, and returns later": {
			change: change{workloads: numbered(1, 1), happens: func(c *cluster) {
				c.put(numbered(1, 1, build.MeshTLS("new", "new"), build.NotReady())...)
				c.settle()
				c.desired.Recovery = desired.Recovery{From: c.now, Until: c.now.Add(time.Second)}
				c.run()
				c.put(numbered(1, 1, build.MeshTLS("new", "new"))...)
			}},
			after: []string{"1 update s1 [http:8080/TCP] w01@192.0.2.1"},
		},
		"the ports of two slices change: one is withdrawn": {
			change: change{service: named, max: 1, workloads: numbered(1, 2, port(8080)), happens: put(numbered(1, 2, port(9090))...)},
			during: []string{"1 update s2 [http:8080/TCP] -w02@192.0.2.2"},
			after: []string{
				"1 update s2 [http:9090/TCP] w02@192.0.2.2",
				"2 update s1 [http:8080/TCP] -w01@192.0.2.1",
				"3 update s1 [http:9090/TCP] w01@192.0.2.1",
			},
		},
		"new readiness with a port's new name waits, as the Service no longer has the old name": {
			change: change{workloads: numbered(1, 1, build.NotReady()), happens: func(c *cluster) {
				c.service = renamed
				c.put(numbered(1, 1)...)
			}},
			after: []string{"1 update s1 [web:8080/TCP] w01@192.0.2.1"},
		},
		"new readiness with an additional port does not wait for that port": {
			change: change{workloads: numbered(1, 1, twoPorts), happens: func(c *cluster) {
				c.put(numbered(1, 1, build.NotReady(), twoPorts)...)
				c.converge()
				c.service = build.Service("shop/web", build.Ports(build.Port("http", 80, build.ToNumber(8080)), build.Port("admin", 81, build.ToNumber(9090))))
				c.put(numbered(1, 1, twoPorts)...)
			}},
			during: []string{"1 update s1 [http:8080/TCP] w01@192.0.2.1"},
			after:  []string{"1 update s1 [http:8080/TCP,admin:9090/TCP] w01@192.0.2.1"},
		},
		"a machine that begins to drain waits for a port's new name": {
			change: change{workloads: numbered(1, 1, build.NotReady()), happens: func(c *cluster) {
				c.service = renamed
				c.put(numbered(1, 1, build.Deleting())...)
			}},
			after: []string{"1 update s1 [web:8080/TCP] -w01@192.0.2.1{serving=true,terminating=true}"},
		},
		"readiness lost together with a port's name is published at once": {
			change: change{workloads: numbered(1, 1), happens: func(c *cluster) {
				c.service = renamed
				c.put(numbered(1, 1, build.NotReady())...)
			}},
			during: []string{"1 update s1 [http:8080/TCP] -w01@192.0.2.1"},
			after:  []string{"1 update s1 [web:8080/TCP] -w01@192.0.2.1"},
		},
		"a slice is emptied, and deleted later": {
			change: change{workloads: numbered(1, 1), happens: func(c *cluster) { c.remove("w01") }},
			during: []string{"1 update s1 [http:8080/TCP]"},
			after:  []string{"1 delete s1 [http:8080/TCP]"},
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			if row.service == nil {
				row.service = build.Service("shop/web")
			}
			c := newCluster(t, row.service, row.workloads...)
			if row.max != 0 {
				c.options.MaxEndpoints = row.max
			}
			c.converge()
			row.happens(c)
			c.settle()
			c.desired.Recovery = desired.Recovery{From: c.now, Until: c.now.Add(5 * time.Second)}
			c.now = c.now.Add(4 * time.Second)
			if diff := cmp.Diff(row.during, c.run()); diff != "" {
				t.Errorf("writes during the recovery differ (-want +got):\n%s", diff)
			}
			if p := c.next(); p.Recovering != (row.after != nil) {
				t.Errorf("the plan waits for the recovery: %t\n%s", p.Recovering, &p)
			}
			c.now = c.desired.Recovery.Until
			if diff := cmp.Diff(row.after, c.run()); diff != "" {
				t.Errorf("writes after the recovery differ (-want +got):\n%s", diff)
			}
		})
	}
}

// TestWhatWasNewAtTheInterruptionIsHeld: consumers may not have received it before their
// watches were interrupted.
func TestWhatWasNewAtTheInterruptionIsHeld(t *testing.T) {
	c := newCluster(t, build.Service("shop/web"))
	c.put(build.Workload("shop/new", build.NotReady(), build.Created(c.now)))
	c.run()
	interrupted := c.now.Add(50 * time.Millisecond)
	c.desired.Recovery = desired.Recovery{From: interrupted, Until: interrupted.Add(5 * time.Second)}
	c.put(build.Workload("shop/new", build.Created(c.now)))
	c.now = c.desired.Recovery.Until.Add(-1)
	if lines := c.run(); lines != nil {
		t.Errorf("published before the recovery: %v", lines)
	}
	c.now = c.desired.Recovery.Until
	if diff := cmp.Diff([]string{"1 update s1 [http:8080/TCP] new@192.0.2.1"}, c.run()); diff != "" {
		t.Errorf("writes differ (-want +got):\n%s", diff)
	}
}
