package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// twoPorts are the ports of every workload in these tests.
var twoPorts = build.WorkloadPorts(build.WorkloadPort("http", 8080, "TCP"), build.WorkloadPort("admin", 9090, "TCP"))

// stepCase is a change around the Service web, which selects the workloads a, b and c at
// 192.0.2.1 to 192.0.2.3.
type stepCase struct {
	// bystanders is the number of other workloads, from 192.0.2.101 on.
	bystanders int
	change     func(s *site)
	// stable are the sockets that must be served after every write.
	stable []string
	// want is the expected result by workload, without bystanders.
	want []string
	// writes is the maximum number of writes. least is the minimum, for changes that the
	// published content does not show.
	writes, least int
}

var stepCases = map[string]stepCase{
	"an address changes": {
		change: func(s *site) { s.edit("a", moveTo("192.0.2.9")) },
		stable: []string{"192.0.2.2:8080", "192.0.2.3:8080"},
		want:   []string{"a 192.0.2.9:8080", "b 192.0.2.2:8080", "c 192.0.2.3:8080"},
		writes: 2,
	},
	"all addresses of the Service change": {
		change: func(s *site) {
			for i, name := range []string{"a", "b", "c"} {
				s.edit(name, moveTo(fmt.Sprintf("192.0.2.1%d", i)))
			}
		},
		want:   []string{"a 192.0.2.10:8080", "b 192.0.2.11:8080", "c 192.0.2.12:8080"},
		writes: 6,
	},
	"the identity changes": {
		change: func(s *site) {
			s.edit("a", func(spec *v1beta1.ExternalWorkloadSpec) {
				spec.MeshTLS.Identity = "spiffe://root.linkerd.cluster.local/renamed"
			})
		},
		stable: []string{"192.0.2.2:8080", "192.0.2.3:8080"},
		want:   []string{"a 192.0.2.1:8080", "b 192.0.2.2:8080", "c 192.0.2.3:8080"},
		writes: 2, least: 2,
	},
	"the target port changes": {
		change: func(s *site) {
			s.editService(func(service *corev1.Service) { service.Spec.Ports[0].TargetPort = intstr.FromString("admin") })
		},
		want:   []string{"a 192.0.2.1:9090", "b 192.0.2.2:9090", "c 192.0.2.3:9090"},
		writes: 2,
	},
	"a workload is replaced under its name": {
		change: func(s *site) { s.delete("a"); s.workload("a", build.IPs("192.0.2.9"), twoPorts) },
		stable: []string{"192.0.2.2:8080", "192.0.2.3:8080"},
		want:   []string{"a 192.0.2.9:8080", "b 192.0.2.2:8080", "c 192.0.2.3:8080"},
		writes: 3,
	},
	"a workload is renamed, the new name first": {
		change: func(s *site) { s.workload("z", build.IPs("192.0.2.1"), twoPorts); s.delete("a") },
		stable: []string{"192.0.2.2:8080", "192.0.2.3:8080"},
		want:   []string{"b 192.0.2.2:8080", "c 192.0.2.3:8080", "z 192.0.2.1:8080"},
		writes: 3,
	},
	"a workload is renamed, the old name first": {
		change: func(s *site) { s.delete("a"); s.workload("z", build.IPs("192.0.2.1"), twoPorts) },
		stable: []string{"192.0.2.2:8080", "192.0.2.3:8080"},
		want:   []string{"b 192.0.2.2:8080", "c 192.0.2.3:8080", "z 192.0.2.1:8080"},
		writes: 3,
	},
	"two workloads swap their addresses": {
		change: func(s *site) { s.edit("a", moveTo("192.0.2.2")); s.edit("b", moveTo("192.0.2.1")) },
		stable: []string{"192.0.2.3:8080"},
		want:   []string{"a 192.0.2.2:8080", "b 192.0.2.1:8080", "c 192.0.2.3:8080"},
		writes: 6,
	},
	"the last workload is deleted": {
		change: func(s *site) { s.delete("a"); s.delete("b"); s.delete("c") },
		writes: 4,
	},
	"the selector is removed": {
		change: func(s *site) { s.editService(func(service *corev1.Service) { service.Spec.Selector = nil }) },
		writes: 2,
	},
	"the selector is removed, and then the workloads": {
		change: func(s *site) {
			s.editService(func(service *corev1.Service) { service.Spec.Selector = nil })
			s.delete("a")
			s.delete("b")
			s.delete("c")
		},
		writes: 5,
	},
	"one of a hundred workloads changes its ports": {
		bystanders: 97,
		change: func(s *site) {
			s.edit("a", func(spec *v1beta1.ExternalWorkloadSpec) { spec.Ports[0].Port = 8181 })
		},
		stable: []string{"192.0.2.2:8080", "192.0.2.3:8080"},
		want:   []string{"a 192.0.2.1:8181", "b 192.0.2.2:8080", "c 192.0.2.3:8080"},
		writes: 2,
	},
}

// TestSafeSteps sends every write to the models of all consumers, and checks them after each
// write.
func TestSafeSteps(t *testing.T) {
	plane := sharedPlane(t)
	for name, test := range stepCases {
		t.Run(name, func(t *testing.T) { test.run(t, newSite(t, plane)) })
	}
}

func (c *stepCase) run(t *testing.T, s *site) {
	a := listen(s)
	before := []string{"a 192.0.2.1:8080", "b 192.0.2.2:8080", "c 192.0.2.3:8080"}
	want, stable := slices.Clone(c.want), slices.Clone(c.stable)
	for i := range c.bystanders {
		bystander := fmt.Sprintf("bystander-%d 192.0.2.%d:8080", i, 101+i)
		before, want = append(before, bystander), append(want, bystander)
		stable = append(stable, socketOf(bystander))
	}
	slices.Sort(before)
	slices.Sort(want)
	for _, published := range before {
		name, _, _ := strings.Cut(published, " ")
		s.workload(name, build.IPs(strings.TrimSuffix(socketOf(published), ":8080")), twoPorts)
	}
	s.service("web", build.Ports(build.Port("http", 80, build.ToName("http"))))
	a.awaitServed(t, before, func(string) {})

	c.change(s)
	a.eventually("what must be written is", func() (bool, string) {
		written := a.history.Len() - a.observed
		return written >= c.least, fmt.Sprintf("%d writes", written)
	})
	allowed := append(socketsOf(before), socketsOf(want)...)
	writes := a.awaitServed(t, want, func(write string) { a.checkServed(t, write, stable, allowed) })
	t.Logf("%d writes", writes)
	if writes > c.writes {
		t.Errorf("%d writes, want at most %d", writes, c.writes)
	}
}

// checkServed checks that all consumers serve the stable sockets and only allowed ones.
func (o *observers) checkServed(t *testing.T, write string, stable, allowed []string) {
	t.Helper()
	served := o.served()
	for _, who := range observerNames {
		for _, socket := range served[who] {
			if !slices.Contains(allowed, socket) {
				t.Errorf("after %s, %s has %s, which must never be served", write, who, socket)
			}
		}
		for _, socket := range stable {
			if !slices.Contains(served[who], socket) {
				t.Errorf("after %s, %s misses %s, which did not change", write, who, socket)
			}
		}
	}
}

func socketOf(published string) string { return published[strings.Index(published, " ")+1:] }

func socketsOf(published []string) []string {
	sockets := make([]string, 0, len(published))
	for _, one := range published {
		sockets = append(sockets, socketOf(one))
	}
	slices.Sort(sockets)
	return sockets
}

// awaitServed waits until the API server has the expected slices, sends all writes until then
// to the models, and checks that the models serve the result.
func (o *observers) awaitServed(t *testing.T, want []string, check func(write string)) int {
	t.Helper()
	o.within(t).eventually(fmt.Sprintf("%v is published", want), func() (bool, string) {
		have := o.published()
		return slices.Equal(have, want), fmt.Sprint(have)
	})
	writes := o.hear(t, check)
	for _, who := range observerNames {
		if diff := cmp.Diff(socketsOf(want), append([]string{}, o.served()[who]...)); diff != "" {
			t.Errorf("in the end %s has (-want +got):\n%s", who, diff)
		}
	}
	for who, have := range o.expects() {
		if diff := cmp.Diff(o.identified(want), have); diff != "" {
			t.Errorf("in the end %s expects (-want +got):\n%s", who, diff)
		}
	}
	return writes
}

// identified adds the identities of the workloads to the published sockets.
func (o *observers) identified(published []string) []string {
	var sockets []string
	for _, one := range published {
		name, socket, _ := strings.Cut(one, " ")
		sockets = append(sockets, fmt.Sprintf("%s is %s (%s)", socket, o.existing[name].Name, o.existing[name].ServerName))
	}
	slices.Sort(sockets)
	return sockets
}

// published returns the ready endpoints of all slices, as "workload address:port".
func (o *observers) published() []string {
	var sockets []string
	for _, slice := range o.slices() {
		for i := range slice.Endpoints {
			if deref(slice.Endpoints[i].Conditions.Ready) {
				sockets = append(sockets, fmt.Sprintf("%s %s:%d", slice.Endpoints[i].TargetRef.Name, slice.Endpoints[i].Addresses[0], deref(slice.Ports[0].Port)))
			}
		}
	}
	slices.Sort(sockets)
	return sockets
}

// edit changes an existing workload.
func (s *site) edit(name string, change func(*v1beta1.ExternalWorkloadSpec)) {
	s.t.Helper()
	client := s.workloads.WorkloadV1beta1().ExternalWorkloads(s.namespace)
	workload, err := client.Get(s.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	change(&workload.Spec)
	if _, err := client.Update(s.t.Context(), workload, metav1.UpdateOptions{}); err != nil {
		s.t.Fatal(err)
	}
}

// moveTo changes a workload's address.
func moveTo(address string) func(*v1beta1.ExternalWorkloadSpec) {
	return func(spec *v1beta1.ExternalWorkloadSpec) { spec.WorkloadIPs = []v1beta1.WorkloadIP{{IP: address}} }
}

func (s *site) delete(workload string) {
	s.t.Helper()
	if err := s.workloads.WorkloadV1beta1().ExternalWorkloads(s.namespace).Delete(s.t.Context(), workload, metav1.DeleteOptions{}); err != nil {
		s.t.Fatal(err)
	}
}

// editService changes the Service web.
func (s *site) editService(change func(*corev1.Service)) {
	s.t.Helper()
	service, err := s.core.CoreV1().Services(s.namespace).Get(s.t.Context(), "web", metav1.GetOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	change(service)
	if _, err := s.core.CoreV1().Services(s.namespace).Update(s.t.Context(), service, metav1.UpdateOptions{}); err != nil {
		s.t.Fatal(err)
	}
}
