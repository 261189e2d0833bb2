package readiness

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// ready describes the readiness conditions, one a line.
func (w *world) ready(name string) []string {
	w.t.Helper()
	var lines []string
	for _, condition := range w.get(name).Status.Conditions {
		if strings.HasPrefix(string(condition.Type), "Ready") {
			lines = append(lines, fmt.Sprintf("%s %s %s: %s", condition.Type, condition.Status, condition.Reason, condition.Message))
		}
	}
	return lines
}

func (w *world) mustBe(when, name string, want ...string) {
	w.t.Helper()
	if diff := cmp.Diff(want, w.ready(name)); diff != "" {
		w.t.Errorf("%s: -want +got\n%s", when, diff)
	}
}

const (
	readyTrue   = "Ready True ProbeSucceeded: "
	provenThere = "ReadyIPv4 True ProbeSucceeded: 192.0.2.10:80 uid=uid-vm-00000"
)

func TestChangedTargetIsNotReadyBeforeItsProbePassed(t *testing.T) {
	const vm, numbers = "vm-00000", `,"periodSeconds":3600,"successThreshold":2`
	for name, test := range map[string]struct {
		change func(*v1beta1.ExternalWorkload)
		// target is the new one.
		target string
	}{
		"another address":     {at("192.0.2.20"), "192.0.2.20:80"},
		"another probed port": {probed(`{"grpc":{"port":81,"service":"vm-00000"}` + numbers + `}`), "192.0.2.10:81"},
	} {
		t.Run(name, func(t *testing.T) {
			workloads, _ := fleet(1, numbers)
			inWorld(t, workloads, Config{}, func(w *world) {
				w.mustBe("at first", vm, readyTrue, provenThere)
				w.update(vm, test.change)
				pending := "AddressChanged: the probe has not passed yet at " + test.target
				w.mustBe("after one success", vm, "Ready False "+pending, "ReadyIPv4 False "+pending)
				w.pass(time.Hour + time.Second)
				w.mustBe("after two", vm, readyTrue, "ReadyIPv4 True ProbeSucceeded: "+test.target+" uid=uid-vm-00000")
				want := []string{"Normal AddressChanged: Not ready any more: the probe has not passed yet at " + test.target}
				// The fake client has no conflicts: a sync from a stale cache writes twice.
				if diff := cmp.Diff(want, slices.Compact(w.events)); diff != "" {
					t.Errorf("Events: -want +got\n%s", diff)
				}
			})
		})
	}
}

// TestMachineMovesToADeadAddress has a machine that moved and does not run yet.
func TestMachineMovesToADeadAddress(t *testing.T) {
	workloads, names := fleet(1, "")
	inWorld(t, workloads, Config{}, func(w *world) {
		w.pass(time.Minute)
		w.setDown(true, "192.0.2.20")
		w.update(names[0], at("192.0.2.20"))
		w.mustBe("at once", names[0], "Ready False AddressChanged: the probe has not passed yet at 192.0.2.20:80", "ReadyIPv4 False AddressChanged: the probe has not passed yet at 192.0.2.20:80")
		w.pass(time.Minute)
		w.mustBe("later", names[0], "Ready False ProbeFailed: no answer within 1s", "ReadyIPv4 False ProbeFailed: no answer within 1s")
		w.setDown(false, "192.0.2.20")
		w.pass(10 * time.Second)
		w.mustBe("once it is up", names[0], readyTrue, "ReadyIPv4 True ProbeSucceeded: 192.0.2.20:80 uid=uid-vm-00000")
	})
}

// TestMachinesThatMoveTogetherAreNotHeld: a hold protects proven targets only.
func TestMachinesThatMoveTogetherAreNotHeld(t *testing.T) {
	workloads, names := fleet(4, "")
	inWorld(t, workloads, Config{}, func(w *world) {
		w.pass(time.Minute)
		for i, name := range names {
			address := fmt.Sprintf("192.0.2.2%d", i)
			w.setDown(true, address)
			w.update(name, at(address))
		}
		for range 90 {
			if got := w.notReady(); !slices.Equal(got, names) {
				t.Fatalf("not ready are %v, want all four", got)
			}
			w.pass(time.Second)
		}
	})
}

func TestNewAddressThatMayNotBeProbedIsNotReady(t *testing.T) {
	const refused = "address 192.0.2.200 must not be probed: it is in a denied range"
	workloads, names := fleet(1, "")
	inWorld(t, workloads, Config{ProbeDeny: []netip.Prefix{netip.MustParsePrefix("192.0.2.128/25")}}, func(w *world) {
		w.pass(time.Minute)
		w.update(names[0], at("192.0.2.200"))
		got := w.ready(names[0])
		if len(got) != 2 || !strings.HasPrefix(got[0], "Ready False ProbeAddressRefused: address 192.0.2.200") || !strings.HasPrefix(got[1], "ReadyIPv4 False ProbeAddressRefused") {
			t.Errorf("got %q, want a refusal like %q", got, refused)
		}
		w.update(names[0], at("192.0.2.10"))
		w.mustBe("back at the old address", names[0], readyTrue, provenThere)
	})
}

// TestNetworkOfTheClusterThatIsGone: an address that was in it stayed refused until the
// workload changed.
func TestNetworkOfTheClusterThatIsGone(t *testing.T) {
	var network atomic.Pointer[[]netip.Prefix]
	network.Store(&[]netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")})
	config := Config{ClusterNetworks: func() []netip.Prefix { return *network.Load() }}
	inWorld(t, []*v1beta1.ExternalWorkload{workload("vm", asking("vm", ""))}, config, func(w *world) {
		w.pass(time.Hour)
		if accepted := find(w.get("vm").Status.Conditions, v1beta1.WorkloadAccepted); accepted == nil || accepted.Reason != ReasonProbeAddressRefused {
			t.Errorf("while the network exists, Accepted is %+v", accepted)
		}
		network.Store(&[]netip.Prefix{})
		w.pass(recheckInterval + time.Minute)
		w.mustBe("once it is gone", "vm", readyTrue, "ReadyIPv4 True ProbeSucceeded: 192.0.2.10:80 uid=uid-vm")
		if accepted := find(w.get("vm").Status.Conditions, v1beta1.WorkloadAccepted); accepted != nil {
			t.Errorf("once it is gone, Accepted is %+v", accepted)
		}
	})
}

func TestChangedProbeSettingsKeepTheState(t *testing.T) {
	for name, numbers := range map[string]string{
		"another period":            `,"periodSeconds":1800`,
		"another timeout":           `,"periodSeconds":3600,"timeoutSeconds":2`,
		"another failure threshold": `,"periodSeconds":3600,"failureThreshold":5`,
		"another success threshold": `,"periodSeconds":3600,"successThreshold":5`,
	} {
		t.Run(name, func(t *testing.T) {
			workloads, names := fleet(1, `,"periodSeconds":3600`)
			inWorld(t, workloads, Config{}, func(w *world) {
				w.pass(2 * time.Hour)
				before := copyOf(w.notes, w.writes)["success"]
				w.update(names[0], asking(names[0], numbers))
				w.mustBe("then", names[0], readyTrue, provenThere)
				if after := copyOf(w.notes, w.writes)["success"]; after > before+1 {
					t.Errorf("%d writes, want at most one for lastProbeTime", after-before)
				}
			})
		})
	}
}

// TestRestartKeepsWhatIsProven: a restart keeps exactly the targets that the object's
// conditions name.
func TestRestartKeepsWhatIsProven(t *testing.T) {
	pending := "AddressChanged: the probe has not passed yet at 192.0.2.10:80"
	for name, test := range map[string]struct {
		proof v1beta1.WorkloadCondition
		want  []string
	}{
		"the same target":  {proven("vm-00000", "192.0.2.10:80"), []string{readyTrue, provenThere}},
		"another address":  {proven("vm-00000", "192.0.2.11:80"), []string{"Ready False " + pending, "ReadyIPv4 False " + pending}},
		"another port":     {proven("vm-00000", "192.0.2.10:81"), []string{"Ready False " + pending, "ReadyIPv4 False " + pending}},
		"another instance": {proven("another", "192.0.2.10:80"), []string{"Ready False " + pending, "ReadyIPv4 False " + pending}},
		"nothing at all":   {is("Other", "True", "", ""), []string{"Ready False ProbePending: the probe has not passed yet at 192.0.2.10:80"}},
		"a custom message": {is(v1beta1.WorkloadReadyIPv4, "True", "", "fine"), []string{"Ready False " + pending, "ReadyIPv4 False " + pending}},
		"it had failed":    {is(v1beta1.WorkloadReadyIPv4, "False", ReasonProbeFailed, "no"), []string{"Ready False ProbePending: the probe has not passed yet at 192.0.2.10:80", "ReadyIPv4 False ProbeFailed: no"}},
	} {
		t.Run(name, func(t *testing.T) {
			workloads, names := fleet(1, `,"periodSeconds":86400`)
			workloads[0].Status.Conditions[1] = test.proof
			inWorld(t, workloads, Config{}, func(w *world) {
				w.mustBe("before the first probe", names[0], test.want...)
				if writes := copyOf(w.notes, w.writes)["success"]; slices.Contains(test.want, provenThere) && writes > 0 {
					t.Errorf("a restart made %d writes", writes)
				}
			})
		})
	}
}

func TestEachFamilyIsProvenSeparately(t *testing.T) {
	const vm, v4, v6 = "vm", "192.0.2.10", "2001:db8::10"
	const passed4, passed6 = "ReadyIPv4 True ProbeSucceeded: 192.0.2.10:80 uid=uid-vm", "ReadyIPv6 True ProbeSucceeded: [2001:db8::10]:80 uid=uid-vm"
	const dead = "False ProbeFailed: no answer within 1s"
	for name, test := range map[string]struct {
		at, down []string
		want     []string
	}{
		"both answer":             {at: []string{v4, v6}, want: []string{passed4, passed6, readyTrue}},
		"IPv6 is dead":            {at: []string{v4, v6}, down: []string{v6}, want: []string{passed4, readyTrue, "ReadyIPv6 " + dead}},
		"IPv6 is first, and dead": {at: []string{v6, v4}, down: []string{v6}, want: []string{passed4, readyTrue, "ReadyIPv6 " + dead}},
		"IPv4 is dead":            {at: []string{v4, v6}, down: []string{v4}, want: []string{passed6, readyTrue, "ReadyIPv4 " + dead}},
		"both are dead":           {at: []string{v4, v6}, down: []string{v4, v6}, want: []string{"Ready " + dead, "ReadyIPv4 " + dead, "ReadyIPv6 " + dead}},
		"it has IPv6 only":        {at: []string{v6}, want: []string{passed6, readyTrue}},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, nil, Config{}, func(w *world) {
				w.setDown(true, test.down...)
				created := workload(vm, asking(vm, ""), at(test.at...))
				created.CreationTimestamp = metav1.Now()
				if _, err := w.client.WorkloadV1beta1().ExternalWorkloads("shop").Create(t.Context(), created, metav1.CreateOptions{}); err != nil {
					t.Fatal(err)
				}
				w.pass(time.Minute)
				got := w.ready(vm)
				slices.Sort(got)
				slices.Sort(test.want)
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("-want +got\n%s", diff)
				}
			})
		})
	}
}

// TestFamiliesAreRefreshedWithReady: their lastProbeTime is as new as that of Ready, and
// causes no write of its own.
func TestFamiliesAreRefreshedWithReady(t *testing.T) {
	const vm, passed, period = "vm", 10 * time.Hour, 10 * time.Second
	machine := workload(vm, asking(vm, ""), at("192.0.2.10", "2001:db8::10"))
	interval := DefaultProbeTimeRefresh + time.Duration(seedOf(machine)%uint64(DefaultProbeTimeRefresh))
	interval = (interval + period - 1).Truncate(period)
	inWorld(t, []*v1beta1.ExternalWorkload{machine}, Config{}, func(w *world) {
		w.pass(time.Minute)
		// The fake client has no conflicts, so two writes of one moment count once.
		moments := map[time.Time]int{}
		w.whenUpdated(func(*v1beta1.ExternalWorkload) error {
			moments[time.Now()]++
			return nil
		})
		w.pass(passed)
		if writes := len(copyOf(w.notes, moments)); writes > int(passed/interval)+1 {
			t.Errorf("%d writes in %s, want one in %s", writes, passed, interval)
		}
		conditions := w.get(vm).Status.Conditions
		ready := find(conditions, v1beta1.WorkloadReady).LastProbeTime
		for _, kind := range familyConditions {
			if got := find(conditions, kind).LastProbeTime; got.IsZero() || ready.Sub(got.Time) > period {
				t.Errorf("%s was probed at %s, and Ready at %s", kind, got, ready)
			}
		}
	})
}

// TestOneFamilyFailsLater: only that family is withdrawn, and its condition is removed
// with its address.
func TestOneFamilyFailsLater(t *testing.T) {
	inWorld(t, []*v1beta1.ExternalWorkload{workload("vm", asking("vm", ""), at("192.0.2.10", "2001:db8::10"))}, Config{}, func(w *world) {
		w.pass(time.Minute)
		w.setDown(true, "2001:db8::10")
		w.pass(time.Minute)
		const passed = "ReadyIPv4 True ProbeSucceeded: 192.0.2.10:80 uid=uid-vm"
		got := w.ready("vm")
		slices.Sort(got)
		if diff := cmp.Diff([]string{readyTrue, passed, "ReadyIPv6 False ProbeFailed: no answer within 1s"}, got); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		if diff := cmp.Diff([]string{"Warning ProbeFailed: Not ready any more: no answer within 1s"}, w.events); diff != "" {
			t.Errorf("Events: -want +got\n%s", diff)
		}
		w.update("vm", at("192.0.2.10"))
		got = w.ready("vm")
		slices.Sort(got)
		if diff := cmp.Diff([]string{readyTrue, passed}, got); diff != "" {
			t.Errorf("without the address: -want +got\n%s", diff)
		}
		w.update("vm", func(e *v1beta1.ExternalWorkload) { delete(e.Annotations, v1beta1.ProbeAnnotation) })
		w.mustBe("without the probe", "vm", readyTrue)
	})
}

func TestProbeThatNamesAHostProvesEachAddress(t *testing.T) {
	named := probed(`{"tcpSocket":{"port":80,"host":"probe.example.org"}}`)
	inWorld(t, []*v1beta1.ExternalWorkload{workload("vm", named, at("192.0.2.10"))}, Config{ProbeAllowHost: true}, func(w *world) {
		w.pass(time.Minute)
		const passed = "ReadyIPv4 True ProbeSucceeded: 192.0.2.10:80 uid=uid-vm host=probe.example.org:80"
		w.mustBe("at first", "vm", readyTrue, passed)
		w.setDown(true, "probe.example.org")
		w.update("vm", at("192.0.2.20"))
		pending := "AddressChanged: the probe has not passed yet at probe.example.org:80"
		w.mustBe("at another address", "vm", "Ready False "+pending, "ReadyIPv4 False "+pending)
	})
}
