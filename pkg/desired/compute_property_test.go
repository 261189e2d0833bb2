package desired_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/desired"
)

func TestProperties(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("first seed %d", seed)
	// One State for all: the result of one Service must not affect the next.
	var reused desired.State
	for i := range uint64(2000) {
		checkProperties(t, fmt.Sprintf("seed %d", seed+i), &reused, build.RandomChoices(seed+i, 400))
		if t.Failed() {
			return
		}
	}
}

func FuzzCompute(f *testing.F) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 0))
		data := make([]byte, 20*seed)
		for i := range data {
			data[i] = byte(random.UintN(256))
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		checkProperties(t, "this input", new(desired.State), build.NewChoices(data))
	})
}

// checkProperties checks the rules for every Service and all workloads.
func checkProperties(t *testing.T, which string, reused *desired.State, c *build.Choices) {
	t.Helper()
	service := build.AnyService(c)
	var objects []*v1beta1.ExternalWorkload
	for i := 0; !c.Done() && i < 25; i++ {
		objects = append(objects, build.AnyWorkload(c, fmt.Sprintf("shop/w%02d", i)))
	}
	serviceBefore, workloads := service.DeepCopy(), known(objects, longAfter)
	before := known(objects, longAfter)
	options := desired.Options{ManagedBy: build.ManagedBy, Now: longAfter}
	reused.Compute(service, workloads, options)

	if diff := cmp.Diff(serviceBefore, service); diff != "" {
		t.Errorf("%s: the Service is changed (-before +after):\n%s", which, diff)
	}
	for i, w := range workloads {
		if !reflect.DeepEqual(w, before[i]) {
			t.Errorf("%s: workload %s is changed", which, w.Name)
		}
	}
	var fresh desired.State
	fresh.Compute(service, workloads, options)
	if diff := cmp.Diff(lines(&fresh), lines(reused)); diff != "" {
		t.Errorf("%s: reused memory gives another result (-new +reused):\n%s", which, diff)
	}
	reported := map[string]bool{}
	for i := range reused.Families {
		checkFamily(t, which, &reused.Families[i], reported)
	}
	for i := range reused.Skipped {
		reported[reused.Skipped[i].Workload.Name] = true
		if reused.Skipped[i].Message() == "" {
			t.Errorf("%s: %s is skipped without a message", which, reused.Skipped[i].Workload.Name)
		}
	}
	if reused.Service != nil && len(reported) != len(workloads) {
		t.Errorf("%s: only %d of %d workloads are published or skipped", which, len(reported), len(workloads))
	}
	if !slices.IsSortedFunc(reused.Skipped, func(a, b desired.Skip) int { return strings.Compare(a.Workload.Name, b.Workload.Name) }) {
		t.Errorf("%s: the skipped workloads are not sorted", which)
	}
}

// checkFamily checks one family, and adds the names of its workloads to reported.
func checkFamily(t *testing.T, which string, f *desired.Family, reported map[string]bool) {
	t.Helper()
	for i := range f.Endpoints {
		e := &f.Endpoints[i]
		reported[e.Workload.Name] = true
		if i > 0 && f.Endpoints[i-1].Workload.Name >= e.Workload.Name {
			t.Errorf("%s: %s is published twice or out of order", which, e.Workload.Name)
		}
		parsed, err := netip.ParseAddr(e.Address)
		errs := validation.IsValidIP(field.NewPath("ip"), e.Address)
		if err != nil || len(errs) > 0 || parsed.Is4() != (f.AddressType == discoveryv1.AddressTypeIPv4) || !parsed.IsGlobalUnicast() || parsed.String() != e.Address {
			t.Errorf("%s: %s has the address %q in %s: %v", which, e.Workload.Name, e.Address, f.AddressType, errs)
		}
		for j := range f.Endpoints[:i] {
			other := &f.Endpoints[j]
			if other.Address == e.Address && f.Groups[e.Group].Overlaps(f.Groups[other.Group]) {
				t.Errorf("%s: %s and %s have the same address and port", which, other.Workload.Name, e.Workload.Name)
			}
		}
	}
	for i, ports := range f.Groups {
		for _, port := range ports {
			if port.Name == nil || port.Port == nil || port.Protocol == nil || *port.Port < 1 ||
				!slices.Contains([]corev1.Protocol{"TCP", "UDP", "SCTP"}, *port.Protocol) {
				t.Errorf("%s: the port %+v is incomplete", which, port)
			}
		}
		if slices.ContainsFunc(f.Groups[:i], ports.Equal) {
			t.Errorf("%s: two groups have the ports %s", which, ports)
		}
	}
}

// FuzzAddress checks that a published address is valid, and that parsing it again gives
// the same address.
func FuzzAddress(f *testing.F) {
	for _, seed := range []string{"192.0.2.1", "2001:DB8:0::1", "::ffff:1.2.3.4", "fe80::1%eth0", "1.2.3.04", "", " ", "::", "127.0.0.1"} {
		f.Add(seed)
	}
	service := build.Service("shop/web", dualStack)
	f.Fuzz(func(t *testing.T, given string) {
		state := compute(service, with(build.Workload("shop/a", build.IPs(given))))
		published := 0
		for i := range state.Families {
			published += len(state.Families[i].Endpoints)
			checkFamily(t, given, &state.Families[i], map[string]bool{})
		}
		if published+len(state.Skipped) != 1 {
			t.Errorf("%q is published %d times and skipped %d times", given, published, len(state.Skipped))
		}
	})
}
