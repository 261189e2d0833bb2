package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/test/internal/controlplane"
)

// bad are workloads that our CRD refuses but that may have been stored before it was
// installed, and how the Service publishes them; empty if it cannot.
var bad = []struct {
	name   string
	change []build.WorkloadOption
	want   string
}{
	{"not-an-ip", with(build.IPs("vm.example.org")), ""},
	{"empty", with(build.IPs("")), ""},
	{"spaces", with(build.IPs(" 192.0.2.30 ")), ""},
	{"leading-zeros", with(build.IPs("192.0.02.30")), ""},
	{"mapped", with(build.IPs("::ffff:192.0.2.30")), ""},
	{"zone", with(build.IPs("fe80::1%eth0")), ""},
	{"loopback", with(build.IPs("127.0.0.1")), ""},
	{"link-local", with(build.IPs("169.254.169.254")), ""},
	{"multicast", with(build.IPs("224.0.0.1")), ""},
	{"unspecified", with(build.IPs("0.0.0.0")), ""},
	{"bad-then-good", with(build.IPs("nonsense", "192.0.2.31")), " | bad-then-good 192.0.2.31 as bad-then-good"},
	{"two-of-a-family", with(build.IPs("192.0.2.32", "192.0.2.33")), " | two-of-a-family 192.0.2.32 as two-of-a-family"},
	{"dotted.name", with(build.IPs("192.0.2.34")), " | dotted.name 192.0.2.34"},
	{longName, with(build.IPs("192.0.2.35")), " | " + longName + " 192.0.2.35"},
	{"no-ports", with(ports()), ""},
	{"unknown-protocol", with(ports(build.WorkloadPort("http", 8080, "ICMP\n☠"))), ""},
	{"lower-case-protocol", with(build.IPs("192.0.2.36"), ports(build.WorkloadPort("http", 8080, "tcp"))), " | lower-case-protocol 192.0.2.36 as lower-case-protocol"},
	{"no-protocol", with(build.IPs("192.0.2.37"), ports(build.WorkloadPort("http", 8080, ""))), " | no-protocol 192.0.2.37 as no-protocol"},
	{"hundreds-of-ports", with(build.IPs("192.0.2.38"), hundredsOfPorts()), " | hundreds-of-ports 192.0.2.38 as hundreds-of-ports"},
	{"duplicate-ports", with(build.IPs("192.0.2.39"), ports(build.WorkloadPort("a", 8080, "TCP"), build.WorkloadPort("a", 8080, "TCP"))), " | duplicate-ports 192.0.2.39 as duplicate-ports"},
	{"conditions-twice", with(build.IPs("192.0.2.40"), build.Conditions(
		build.Condition(v1beta1.WorkloadReady, v1beta1.ConditionTrue), build.Condition(v1beta1.WorkloadReady, v1beta1.ConditionTrue))),
		" | conditions-twice 192.0.2.40 as conditions-twice"},
	{"no-conditions", with(build.IPs("192.0.2.41"), build.Conditions()), " | no-conditions 192.0.2.41 as no-conditions not ready"},
}

// longName is a workload name that is too long for a hostname.
var longName = strings.Repeat("long-", 20) + "name"

func with(options ...build.WorkloadOption) []build.WorkloadOption { return options }

// hundredsOfPorts has the Service's port as its last.
func hundredsOfPorts() build.WorkloadOption {
	var many []v1beta1.PortSpec
	for i := range 500 {
		many = append(many, build.WorkloadPort(fmt.Sprint("p", i), int32(20_000+i), corev1.ProtocolTCP))
	}
	return build.WorkloadPorts(append(many, build.WorkloadPort("http", 8080, corev1.ProtocolTCP))...)
}

// TestBadInput stores workloads that a lax CRD accepts, one by one, in a Service with a
// valid workload, which must always stay current. Then it installs our CRD, under which the
// others are invalid.
func TestBadInput(t *testing.T) {
	plane := controlplane.ForTest(t, controlplane.Options{})
	crd, err := controlplane.CRD()
	if err != nil {
		t.Fatal(err)
	}
	if err := controlplane.InstallCRD(t.Context(), plane.AdminConfig(), controlplane.Permissive(crd)); err != nil {
		t.Fatal(err)
	}
	s := newIdleSite(t, plane)
	s.start()
	t.Cleanup(func() { s.stop() })
	s.service("web", build.Headless())
	s.workload("good")
	var published []string
	flip := func(s *site, ready bool) {
		s.t.Helper()
		s.setReady("good", ready)
		text := " | good 192.0.2.1 as good"
		if !ready {
			text += " not ready"
		}
		want := append(slices.Clone(published), text)
		slices.Sort(want)
		s.waitFor("web", "IPv4 http:8080/TCP"+strings.Join(want, ""))
	}
	for i, bad := range bad {
		t.Run(bad.name, func(t *testing.T) {
			s := s.within(t)
			if bad.want != "" {
				published = append(published, bad.want)
			}
			s.workload(bad.name, bad.change...)
			flip(s, i%2 == 0)
		})
	}
	s.do(func() {
		if s.panics > 0 {
			t.Errorf("%d syncs panicked", s.panics)
		}
		for _, bad := range bad {
			reported := slices.ContainsFunc(s.events, func(event string) bool { return strings.HasPrefix(event, bad.name+" ") })
			if skipped := bad.want == ""; reported != skipped {
				t.Errorf("%s: an Event reported it: %t, want %t", bad.name, reported, skipped)
			}
		}
	})
	t.Run("under our CRD", func(t *testing.T) {
		s := s.within(t)
		if err := controlplane.InstallCRD(t.Context(), plane.AdminConfig(), crd); err != nil {
			t.Fatal(err)
		}
		s.stop()
		before := s.requests()
		s.start()
		defer s.stop()
		s.eventually("web is synced", func() (bool, string) { return s.hasSynced("web"), "" })
		if got := s.sliceWrites(before); got != 0 {
			t.Errorf("a restart made %d writes", got)
		}
		flip(s, false)
		flip(s, true)
	})
}
