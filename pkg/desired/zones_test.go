package desired_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/desired"
)

func TestZoneOfAnAddress(t *testing.T) {
	var zones desired.Zones
	for _, text := range []string{"10.0.0.0/8=west,10.1.0.0/16=east", " 2001:db8::/32 = north "} {
		if err := zones.Set(text); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff("10.0.0.0/8=west,10.1.0.0/16=east,2001:db8::/32=north", zones.String()); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
	for address, want := range map[string]string{
		"10.2.0.1": "west", "10.1.0.1": "east", "2001:db8::1": "north", "192.0.2.1": "", "2001:db9::1": "", "none": "",
	} {
		if got := zones.Of(address); got != want {
			t.Errorf("%s is in zone %q, want %q", address, got, want)
		}
	}
}

func TestZonesThatAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                                   "want RANGE=ZONE, such as 10.1.0.0/16=zone-a",
		"10.0.0.0/8":                         "want RANGE=ZONE, such as 10.1.0.0/16=zone-a",
		"10.0.0.0/8=":                        "want RANGE=ZONE, such as 10.1.0.0/16=zone-a",
		"10.0.0.0/8=no zone":                 "want RANGE=ZONE, such as 10.1.0.0/16=zone-a",
		"10.0.0.1=west":                      "want address ranges like 10.0.0.0/8 or 2001:db8::/32",
		"::ffff:10.0.0.0/104=west":           "want no IPv4-mapped range, for it would match no address; write it as IPv4, like 10.0.0.0/8",
		"10.0.0.0/8=west,10.9.9.9/8=east":    "want one zone for the range 10.0.0.0/8",
		"192.0.2.0/24=west,192.0.2.0/24=a b": "want RANGE=ZONE, such as 10.1.0.0/16=zone-a",
	} {
		var zones desired.Zones
		err := zones.Set(text)
		if err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
		if len(zones) > 0 {
			t.Errorf("%q: some of it was taken: %s", text, &zones)
		}
	}
}

// A zone by address replaces a missing label, per address family, and never
// overrides one.
func TestZoneByAddress(t *testing.T) {
	service := build.Service("shop/web", build.Traffic("PreferSameZone"), build.Families(corev1.IPv4Protocol, corev1.IPv6Protocol))
	options := desired.Options{ManagedBy: build.ManagedBy, Now: longAfter}
	if err := options.Zones.Set("192.0.2.0/28=west,2001:db8::/32=north"); err != nil {
		t.Fatal(err)
	}
	var state desired.State
	state.Compute(service, known([]*v1beta1.ExternalWorkload{
		build.Workload("shop/a", build.IPs("192.0.2.1", "2001:db8::1")),
		build.Workload("shop/b", build.IPs("192.0.2.2"), build.Zone("east")),
		build.Workload("shop/c", build.IPs("192.0.2.99")),
		build.Workload("shop/d", build.IPs("192.0.2.3"), build.NotReady()),
	}, longAfter), options)
	got := map[string][2]string{}
	for _, family := range state.Families {
		for _, e := range family.Endpoints {
			got[e.Address] = [2]string{e.Zone, e.ZoneHint}
		}
	}
	want := map[string][2]string{
		"192.0.2.1": {"west", "west"}, "192.0.2.2": {"east", "east"}, "192.0.2.99": {"", ""}, "192.0.2.3": {"west", ""},
		"2001:db8::1": {"north", "north"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("zone and hint by address (-want +got):\n%s", diff)
	}
}
