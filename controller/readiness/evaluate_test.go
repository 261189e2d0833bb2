package readiness

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// decidedWithin is the maximum time until a machine that dies is withdrawn, with the
// default probe: three periods, one timeout, and the time for evidence.
const decidedWithin = 33 * time.Second

func onLease(context.Context) runtime.Object {
	return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: "external-workloads", Name: "lease"}}
}

func TestCutOffProberWithdrawsNothing(t *testing.T) {
	for name, numbers := range map[string][2]string{
		"with the defaults":           {``, ``},
		"with a threshold of one":     {`,"failureThreshold":1`, `,"failureThreshold":1`},
		"with a long period":          {`,"periodSeconds":50,"failureThreshold":1`, `,"periodSeconds":50,"failureThreshold":1`},
		"with a threshold of ten":     {`,"failureThreshold":10`, `,"failureThreshold":10`},
		"with short and long periods": {`,"periodSeconds":2`, `,"periodSeconds":30`},
		"with some periods of 300 s":  {``, `,"periodSeconds":300`},
		"with some periods of a day":  {``, `,"periodSeconds":86400`},
	} {
		t.Run(name, func(t *testing.T) {
			quick, _ := fleet(60, numbers[0])
			slow, _ := fleet(60, numbers[1])
			workloads := append(quick[:30], slow[30:]...)
			inWorld(t, workloads, Config{HoldMaximum: time.Hour, HoldRegarding: onLease}, func(w *world) {
				w.pass(6 * time.Minute)
				w.setCutOff(true)
				w.pass(20 * time.Minute)
				if got := w.notReady(); len(got) > 0 {
					t.Errorf("withdrawn while the prober was cut off: %v", got)
				}
				w.setCutOff(false)
				for range 180 {
					w.pass(time.Second)
					if got := w.notReady(); len(got) > 0 {
						t.Fatalf("withdrawn after the prober was reconnected: %v", got)
					}
				}
				if want := []bool{false, true, false}; !slices.Equal(w.holds, want) {
					t.Errorf("the hold was %v, want %v", w.holds, want)
				}
				if len(w.events) != 2 || !strings.HasPrefix(w.events[0], "Warning ReadinessHoldBegan") || !strings.HasPrefix(w.events[1], "Normal ReadinessHoldEnded") {
					t.Errorf("events are %v", w.events)
				}
			})
		})
	}
}

// TestLongPeriodsDoNotCountAsHealthy has 60 machines that are probed every ten seconds
// and 240 that are probed every five minutes.
func TestLongPeriodsDoNotCountAsHealthy(t *testing.T) {
	quick, _ := fleetIn("shop", "quick", 60, "")
	slow, _ := fleetIn("shop", "slow", 240, `,"periodSeconds":300`)
	inCluster(t, append(quick, slow...), Config{}, func(w *world) {
		w.pass(6 * time.Minute)
		w.setCutOff(true)
		w.pass(9 * time.Minute)
		if got := w.notReady(); len(got) > 0 {
			t.Errorf("%d withdrawn while the prober was cut off", len(got))
		}
	})
}

func TestCutOffOnStartWithdrawsNothing(t *testing.T) {
	workloads, _ := fleet(60, "")
	inWorld(t, workloads, Config{}, func(w *world) {
		w.setCutOff(true)
		w.pass(10 * time.Minute)
		if got := w.notReady(); len(got) > 0 {
			t.Errorf("withdrawn: %v", got)
		}
	})
}

func TestZoneThatDiesIsWithdrawn(t *testing.T) {
	workloads, names := fleet(60, "")
	zone := names[:30]
	inWorld(t, workloads, Config{}, func(w *world) {
		w.pass(time.Minute)
		w.setDown(true, zone...)
		w.pass(15 * time.Second)
		if got := w.notReady(); len(got) > 0 {
			t.Errorf("withdrawn before three probes failed: %v", got)
		}
		w.pass(20 * time.Second)
		if diff := cmp.Diff(zone, w.notReady()); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		w.setDown(false, zone...)
		w.pass(11 * time.Second)
		if got := w.notReady(); len(got) > 0 {
			t.Errorf("still not ready: %v", got)
		}
		if w.holds[len(w.holds)-1] || len(w.holds) > 1 {
			t.Errorf("the hold was %v", w.holds)
		}
	})
}

func TestServiceThatDiesIsWithdrawnWhereOtherNamespacesAnswer(t *testing.T) {
	shop, names := fleet(3, "")
	inCluster(t, append(shop, neighbours(5)...), Config{}, func(w *world) {
		w.pass(time.Minute)
		w.setDown(true, names...)
		w.pass(decidedWithin)
		if diff := cmp.Diff(names, w.notReady()); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		if len(w.holds) > 1 {
			t.Errorf("the hold was %v", w.holds)
		}
	})
}

// TestNoTenantDelaysTheWithdrawalsOfAnother has objects that one tenant creates
// to freeze or delay the readiness of another.
func TestNoTenantDelaysTheWithdrawalsOfAnother(t *testing.T) {
	for name, numbers := range map[string]string{
		"130 that never answer":          "",
		"100 that are probed once a day": `,"periodSeconds":86400`,
		"100 with a threshold of 1000":   `,"periodSeconds":1,"failureThreshold":1000`,
	} {
		t.Run(name, func(t *testing.T) {
			shop, names := fleet(3, "")
			attacker, attackers := fleetIn("attacker", "attacker", 130, numbers)
			inCluster(t, slices.Concat(shop, attacker, neighbours(2)), Config{}, func(w *world) {
				w.setDown(true, attackers...)
				w.pass(2 * time.Minute)
				w.setDown(true, names...)
				w.pass(decidedWithin)
				if diff := cmp.Diff(names, w.notReady()); diff != "" {
					t.Errorf("-want +got\n%s", diff)
				}
				if len(w.holds) > 1 {
					t.Errorf("the hold was %v", w.holds)
				}
			})
		})
	}
}

func TestWhatIsDeadAfterTheHoldIsWithdrawn(t *testing.T) {
	workloads, names := fleet(60, "")
	inWorld(t, workloads, Config{}, func(w *world) {
		w.pass(time.Minute)
		w.setDown(true, names[0])
		w.setCutOff(true)
		w.pass(5 * time.Minute)
		w.setCutOff(false)
		w.pass(time.Minute)
		if diff := cmp.Diff(names[:1], w.notReady()); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	})
}

func TestHoldEndsAtItsMaximum(t *testing.T) {
	workloads, names := fleet(10, "")
	inCluster(t, append(workloads, neighbours(5)...), Config{HoldRegarding: onLease}, func(w *world) {
		w.pass(time.Minute)
		w.setCutOff(true)
		w.pass(10 * time.Minute)
		if got := w.notReady(); len(got) > 0 {
			t.Errorf("withdrawn before the maximum: %v", got)
		}
		w.pass(time.Minute)
		if diff := cmp.Diff(names, w.notReady()); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		if !slices.ContainsFunc(w.events, func(e string) bool { return strings.HasPrefix(e, "Warning ReadinessHoldEnded") }) {
			t.Errorf("events are %v", w.events)
		}
	})
}

func TestHeldWorkloadSaysSo(t *testing.T) {
	workloads, names := fleet(10, "")
	inCluster(t, append(workloads, neighbours(5)...), Config{HoldRegarding: onLease}, func(w *world) {
		w.pass(time.Minute)
		w.setCutOff(true)
		w.pass(time.Minute)
		for _, name := range names {
			got := w.get(name).Status.Conditions[0]
			if got.Status != v1beta1.ConditionTrue || got.Reason != ReasonProbeHeld || got.Message != "no answer within 1s" {
				t.Errorf("%s has the condition %+v, want it held, with the probe's failure", name, got)
			}
		}
		w.setCutOff(false)
		w.pass(20 * time.Second)
		for _, name := range names {
			if got := w.get(name).Status.Conditions[0]; got.Status != v1beta1.ConditionTrue || got.Reason != ReasonProbeSucceeded {
				t.Errorf("after the hold %s has the condition %+v", name, got)
			}
		}
		if len(w.events) != 2 {
			t.Errorf("events are %v, want one for the beginning and one for the end", w.events)
		}
		for _, event := range w.events {
			for _, name := range []string{"shop", "neighbour", "vm-"} {
				if strings.Contains(event, name) {
					t.Errorf("an Event that others may read names %s: %s", name, event)
				}
			}
		}
	})
}

// TestChangedAddressIsNeverHeld changes a machine's address during a hold.
func TestChangedAddressIsNeverHeld(t *testing.T) {
	workloads, names := fleet(10, "")
	inCluster(t, append(workloads, neighbours(5)...), Config{}, func(w *world) {
		w.pass(time.Minute)
		w.setCutOff(true)
		w.pass(time.Minute)
		w.update(names[0], func(e *v1beta1.ExternalWorkload) { e.Spec.WorkloadIPs[0].IP = "192.0.2.99" })
		w.pass(decidedWithin)
		if diff := cmp.Diff(names[:1], w.notReady()); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	})
}

// TestEarlyProbesDoNotCountForThresholds has a tenant that causes early probes twice a
// second while a machine of another tenant restarts.
func TestEarlyProbesDoNotCountForThresholds(t *testing.T) {
	shop, names := fleet(3, `,"periodSeconds":30`)
	flipping, flippers := fleetIn("attacker", "flipping", 4, `,"periodSeconds":1,"failureThreshold":1`)
	inCluster(t, append(shop, flipping...), Config{}, func(w *world) {
		w.pass(2 * time.Minute)
		before := w.timesAsked(names[0])
		w.setDown(true, names[0])
		for second := range 50 {
			w.setDown(second%4 < 2, flippers...)
			w.pass(time.Second)
		}
		if asked := w.timesAsked(names[0]) - before; asked < 5 {
			t.Fatalf("the machine was probed %d times: the tenant has not caused early probes", asked)
		}
		if got := w.notReady(); len(got) > 0 {
			t.Errorf("withdrawn after 50 s, although three periods are 90 s: %v", got)
		}
	})
}

// TestThousandsThatHangDelayNoOtherNamespace has 3,000 objects whose probes take the
// maximum time, and whose author touches them.
func TestThousandsThatHangDelayNoOtherNamespace(t *testing.T) {
	shop, names := fleet(10, "")
	attacker, attackers := fleetIn("attacker", "attacker", 3000, `,"timeoutSeconds":30,"periodSeconds":30`)
	inCluster(t, append(shop, attacker...), Config{}, func(w *world) {
		w.setDown(true, attackers...)
		w.pass(time.Minute)
		for second := range 60 {
			for i := range 50 {
				name := attackers[(second*50+i)%len(attackers)]
				w.updateIn("attacker", name, asking(name, fmt.Sprintf(`,"timeoutSeconds":30,"periodSeconds":%d`, 31+second)))
			}
			w.pass(time.Second)
		}
		for _, name := range names {
			if got := w.longestPause(name); got > 12*time.Second {
				t.Errorf("%s was not probed for %s, want no probe more than 2 s late", name, got)
			}
		}
	})
}

func TestClockBehindTheServersDelaysNoFirstProbe(t *testing.T) {
	inWorld(t, nil, Config{}, func(w *world) {
		created := workload("vm", asking("vm", `,"periodSeconds":5,"initialDelaySeconds":3`))
		created.CreationTimestamp = metav1.NewTime(time.Now().Add(time.Hour))
		if _, err := w.client.WorkloadV1beta1().ExternalWorkloads("shop").Create(t.Context(), created, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		w.pass(3 * time.Second)
		if got := w.timesAsked("vm"); got != 1 {
			t.Errorf("probed %d times within its initial delay after first sight, want once", got)
		}
	})
}
