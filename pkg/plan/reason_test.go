package plan_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// A plan names the reason of every action, the dependencies of a write, and later steps.
func TestPlanNamesEveryReason(t *testing.T) {
	both := build.WorkloadPorts(build.WorkloadPort("http", 8080, "TCP"), build.WorkloadPort("new", 9090, "TCP"))
	byName := build.Service("shop/web", build.Ports(build.Port("http", 80, build.ToName("http"))))
	other := build.WorkloadPorts(build.WorkloadPort("http", 9090, "TCP"))
	for sentence, row := range map[string]struct {
		service   *corev1.Service
		workloads []*v1beta1.ExternalWorkload
		max       int
		happens   func(*cluster)
		want      string
	}{
		"changes of single endpoints": {
			workloads: append(numbered(1, 5), numbered(6, 6, build.NotReady())...),
			happens: func(c *cluster) {
				c.put(numbered(1, 1, build.IPs("192.0.2.9"))...)
				c.put(numbered(2, 2, build.NotReady())...)
				c.put(numbered(3, 3, build.Zone("z1"))...)
				c.put(numbered(4, 4, build.MeshTLS("new", "new"))...)
				c.remove("w05")
				c.put(numbered(6, 7)...)
			},
			want: `
1. update s1
   withdraw w01@192.0.2.1: address changed
   set w02@192.0.2.2: not ready any more
   set w03@192.0.2.3: properties changed
   withdraw w04@192.0.2.4: identity changed
   remove w05@192.0.2.5: not desired any more
   publish w06@192.0.2.6: ready now
   publish w07@192.0.2.7: newly desired
steps left: 1
`},
		"an endpoint that moves to another slice": {
			service: byName, workloads: numbered(1, 2),
			happens: func(c *cluster) { c.put(numbered(2, 2, other)...) },
			want: `
1. update s1
   remove w02@192.0.2.2: belongs in another slice
2. create s2 after 1
   publish w02@192.0.2.2: takes the place of an endpoint of another slice
`},
		"a publication that waits and a withdrawal that does not": {
			workloads: append(numbered(1, 1, build.NotReady()), numbered(2, 4)...), max: 2,
			happens: func(c *cluster) {
				c.put(numbered(1, 1, build.IPs("192.0.2.3"))...)
				c.put(numbered(2, 2, build.NotReady())...)
				c.put(numbered(3, 3, build.IPs("192.0.2.9"))...)
			},
			want: `
1. update s2
   withdraw w03@192.0.2.3: address changed
2. update s1
   set w02@192.0.2.2: not ready any more
later: w01@192.0.2.1 in s1 waits for the other changes of its slice
steps left: 1
`},
		"ports that change slice by slice": {
			workloads: numbered(1, 2, both), max: 1,
			happens: func(c *cluster) {
				c.service = build.Service("shop/web", build.Ports(build.Port("http", 80, build.ToNumber(9090))))
			},
			want: `
1. update s2
   withdraw w02@192.0.2.2: the slice's ports change
later: w01@192.0.2.1 in s1 waits for the ports of its slice
steps left: 3
`},
		"labels": {
			workloads: numbered(1, 1),
			happens:   func(c *cluster) { c.service = build.Service("shop/web", build.Label("team", "red")) },
			want: `
1. update s1: labels or owner changed
`},
		"an address that the API server refuses": {
			workloads: numbered(1, 1),
			happens: func(c *cluster) {
				kept := c.api.List()[0].DeepCopy()
				kept.Endpoints[0].Addresses[0] = "192.0.02.1"
				c.api.Keep(kept)
			},
			want: `
1. update s1
   remove w01@192.0.02.1: the API server refuses its address
later: w01@192.0.2.1 in s1 waits for the other changes of its slice
steps left: 1
`},
	} {
		t.Run(sentence, func(t *testing.T) {
			service := row.service
			if service == nil {
				service = build.Service("shop/web")
			}
			c := newCluster(t, service, row.workloads...)
			if row.max != 0 {
				c.options.MaxEndpoints = row.max
			}
			c.converge()
			row.happens(c)
			c.settle()
			p := c.next()
			text := p.String()
			for _, write := range p.Writes {
				c.alias(write.Slice.Name)
			}
			for name, alias := range c.aliases {
				text = strings.ReplaceAll(text, name, alias)
			}
			if diff := cmp.Diff(strings.TrimPrefix(row.want, "\n"), text); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
			c.converge()
		})
	}
}

// Slices that an older API server accepted reach the desired state, although this API
// server refuses their content.
func TestWhatTheAPIServerRefusesIsNotCarriedOver(t *testing.T) {
	for sentence, change := range map[string]func(*discoveryv1.EndpointSlice){
		"an address with leading zeros":         func(s *discoveryv1.EndpointSlice) { s.Endpoints[0].Addresses[0] = "192.0.02.1" },
		"an address of the other family":        func(s *discoveryv1.EndpointSlice) { s.Endpoints[0].Addresses[0] = "2001:DB8::1" },
		"a name as an address":                  func(s *discoveryv1.EndpointSlice) { s.Endpoints[0].Addresses[0] = "example.org" },
		"a host name that is not a label":       func(s *discoveryv1.EndpointSlice) { s.Endpoints[0].Hostname = new("Not_A_Label") },
		"an invalid node name":                  func(s *discoveryv1.EndpointSlice) { s.Endpoints[0].NodeName = new("no node") },
		"an invalid appProtocol":                func(s *discoveryv1.EndpointSlice) { s.Ports[0].AppProtocol = new("no protocol") },
		"a port name that is not a label":       func(s *discoveryv1.EndpointSlice) { s.Ports[0].Name = new("No_Label") },
		"two ports of one name":                 func(s *discoveryv1.EndpointSlice) { s.Ports = append(s.Ports, s.Ports[0]) },
		"an invalid protocol":                   func(s *discoveryv1.EndpointSlice) { s.Ports[0].Protocol = new(corev1.Protocol("ICMP")) },
		"hints for a zone that is no label":     hinted(discoveryv1.EndpointHints{ForZones: []discoveryv1.ForZone{{Name: "no zone"}}}),
		"hints for one zone twice":              hinted(discoveryv1.EndpointHints{ForZones: []discoveryv1.ForZone{{Name: "z"}, {Name: "z"}}}),
		"hints for a node that is no subdomain": hinted(discoveryv1.EndpointHints{ForNodes: []discoveryv1.ForNode{{Name: "no node"}}}),
		"more annotations than allowed": func(s *discoveryv1.EndpointSlice) {
			s.Annotations["large"] = strings.Repeat("x", 256<<10-len("large"))
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			c := newCluster(t, build.Service("shop/web"), numbered(1, 3)...)
			c.converge()
			kept := c.api.List()[0].DeepCopy()
			change(kept)
			c.api.Keep(kept)
			// Everything that may stay must be written again unchanged.
			c.put(numbered(1, 1, build.IPs("192.0.2.9"))...)
			c.put(numbered(2, 2, build.NotReady())...)
			if lines := c.converge(); len(lines) == 0 {
				t.Error("nothing is written")
			}
			if diff := cmp.Diff(desiredLines(c.state()), actualLines(c)); diff != "" {
				t.Errorf("the slices are not as desired (-desired +actual):\n%s", diff)
			}
			for key, value := range c.api.List()[0].Annotations {
				if len(value) > 1000 {
					t.Errorf("the annotation %s has %d bytes", key, len(value))
				}
			}
		})
	}
}

func hinted(hints discoveryv1.EndpointHints) func(*discoveryv1.EndpointSlice) {
	return func(s *discoveryv1.EndpointSlice) { s.Endpoints[0].Hints = &hints }
}

// A node hint that is as desired is no reason to write. Without it, one machine would turn
// off same-node routing for the Pods of its Service.
func TestPreferSameNode(t *testing.T) {
	c := newCluster(t, build.Service("shop/web", build.Traffic("PreferSameNode")), numbered(1, 1, build.Zone("z1"))...)
	c.put(numbered(2, 2)...)
	want := []string{"1 create s1 [http:8080/TCP] w01@192.0.2.1~z1{nodes=external-workload.invalid} w02@192.0.2.2{nodes=external-workload.invalid}"}
	if diff := cmp.Diff(want, c.converge()); diff != "" {
		t.Errorf("writes differ (-want +got):\n%s", diff)
	}
	c.put(numbered(1, 1, build.Zone("z1"), build.MeshTLS("new", "new"))...)
	c.put(numbered(2, 2, build.MeshTLS("new", "new"))...)
	// Linkerd reads zone hints only: they announce the first endpoint, and the second is
	// withdrawn.
	want = []string{
		"1 update s1 [http:8080/TCP] w01@192.0.2.1{zone=z1,nodes=external-workload.invalid} -w02@192.0.2.2",
		"2 update s1 [http:8080/TCP] w01@192.0.2.1~z1{nodes=external-workload.invalid} w02@192.0.2.2{nodes=external-workload.invalid}",
	}
	if diff := cmp.Diff(want, c.converge()); diff != "" {
		t.Errorf("writes differ (-want +got):\n%s", diff)
	}
}
