package readiness

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

func TestExpired(t *testing.T) {
	const tcp = `{"tcpSocket":{"port":80}}`
	hour := annotated(v1beta1.DeleteAfterUnreadyAnnotation, "1h")
	failed := func(ago time.Duration) func(*v1beta1.ExternalWorkload) {
		return having(since(is("Ready", "False", ReasonProbeFailed, ""), noon.Add(-ago)))
	}
	for sentence, test := range map[string]struct {
		workload *v1beta1.ExternalWorkload
		watched  time.Duration
		want     bool
	}{
		"its probe has failed for the whole time":   {workload("a", probed(tcp), hour, failed(time.Hour)), 2 * time.Hour, true},
		"its probe has failed for a moment less":    {workload("a", probed(tcp), hour, failed(time.Hour-time.Second)), 2 * time.Hour, false},
		"there was a hold in that time, or a start": {workload("a", probed(tcp), hour, failed(3*time.Hour)), 59 * time.Minute, false},
		"the hold was before that time":             {workload("a", probed(tcp), hour, failed(3*time.Hour)), time.Hour, true},
		"without the annotation":                    {workload("a", probed(tcp), failed(24*time.Hour)), 48 * time.Hour, false},
		"with a time that is too short":             {workload("a", probed(tcp), annotated(v1beta1.DeleteAfterUnreadyAnnotation, "4m59s"), failed(24*time.Hour)), 48 * time.Hour, false},
		"with the shortest time":                    {workload("a", probed(tcp), annotated(v1beta1.DeleteAfterUnreadyAnnotation, "5m"), failed(5*time.Minute)), time.Hour, true},
		"with an invalid time":                      {workload("a", probed(tcp), annotated(v1beta1.DeleteAfterUnreadyAnnotation, "soon"), failed(24*time.Hour)), 48 * time.Hour, false},
		"declared not ready, without a probe":       {workload("a", declared("False"), hour, having(since(is("Ready", "False", ReasonDeclared, ""), noon.Add(-24*time.Hour)))), 48 * time.Hour, false},
		"another writer's not ready, with a probe":  {workload("a", probed(tcp), hour, having(since(is("Ready", "False", "Maintenance", ""), noon.Add(-24*time.Hour)))), 48 * time.Hour, false},
		"the condition of a probe that was removed": {workload("a", hour, failed(24*time.Hour)), 48 * time.Hour, false},
		"ready":                       {workload("a", probed(tcp), hour, having(since(is("Ready", "True", ReasonProbeSucceeded, ""), noon.Add(-24*time.Hour)))), 48 * time.Hour, false},
		"without a transition time":   {workload("a", probed(tcp), hour, having(is("Ready", "False", ReasonProbeFailed, ""))), 48 * time.Hour, false},
		"it is being deleted already": {workload("a", probed(tcp), hour, failed(24*time.Hour), func(w *v1beta1.ExternalWorkload) { w.DeletionTimestamp = new(metav1.NewTime(noon)) }), 48 * time.Hour, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			failing := func() time.Time { return noon.Add(-48 * time.Hour) }
			if got := expired(test.workload, failing, noon.Add(-test.watched), noon); got != test.want {
				t.Errorf("expired is %v, want %v", got, test.want)
			}
		})
	}
}

// TestOnlyFailuresOfThePresentProbeExpire: the condition ProbeFailed stays while nothing
// is probed, or something else is, and a workload was deleted because of it.
func TestOnlyFailuresOfThePresentProbeExpire(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*v1beta1.ExternalWorkload)
		// later is true if the changed probe fails as well, so that the time restarts.
		later bool
	}{
		"the probe is invalid":          {change: probed(`{"tcpSocket":{"port":"none"}}`)},
		"the address may not be probed": {change: at("192.0.2.200")},
		"one address may not be probed": {change: at("192.0.2.10", "2001:db8::10")},
		"the address is another":        {change: at("192.0.2.20"), later: true},
		"the probe is another":          {change: asking("vm-00000", `,"periodSeconds":5`), later: true},
	} {
		t.Run(name, func(t *testing.T) {
			workloads, names := fleet(5, "")
			workloads[0].Annotations[v1beta1.DeleteAfterUnreadyAnnotation] = "10m"
			config := Config{DeleteExpired: true, ProbeDeny: []netip.Prefix{netip.MustParsePrefix("192.0.2.128/25"), netip.MustParsePrefix("2001:db8::/64")}}
			inWorld(t, workloads, config, func(w *world) {
				w.pass(time.Minute)
				w.setDown(true, names[0])
				w.pass(8 * time.Minute)
				w.mustBe("at first", names[0], "Ready False ProbeFailed: no answer within 1s", "ReadyIPv4 False ProbeFailed: no answer within 1s")
				w.update(names[0], test.change)
				w.pass(8 * time.Minute)
				w.do(func() {
					if w.expired != 0 {
						t.Error("it was deleted before the present probe has failed for 10 minutes")
					}
				})
				w.pass(20 * time.Minute)
				w.do(func() {
					if later := w.expired != 0; later != test.later {
						t.Errorf("deleted after half an hour: %t, want %t", later, test.later)
					}
				})
			})
		})
	}
}

func TestFailingSinceIsOfAllTargets(t *testing.T) {
	machine := workload("w", probed(`{"tcpSocket":{"port":80}}`), at("192.0.2.10", "2001:db8::10"))
	early, late := health{failingSince: noon}, health{failingSince: noon.Add(time.Hour)}
	for name, test := range map[string]struct {
		observed *record
		want     time.Time
	}{
		"the later of two":                  {observed(t, machine, early, late), noon.Add(time.Hour)},
		"never while one passes":            {observed(t, machine, early, health{}), time.Time{}},
		"never while one may not be probed": {observed(t, machine, early, health{failingSince: noon, refused: "metadata"}), time.Time{}},
		"never while it is not decoded":     {nil, time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.observed.failingSince(); !got.Equal(test.want) {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestHoldRestartsTheExpiryTime(t *testing.T) {
	var e expiry
	e.setHold(false, noon)
	if since, trusted := e.trustedSince(); !since.IsZero() || !trusted {
		t.Errorf("without a hold: %v, %v", since, trusted)
	}
	e.setHold(true, noon.Add(time.Minute))
	if _, trusted := e.trustedSince(); trusted {
		t.Error("probes are trusted during a hold")
	}
	e.setHold(false, noon.Add(2*time.Minute))
	if since, trusted := e.trustedSince(); !since.Equal(noon.Add(2*time.Minute)) || !trusted {
		t.Errorf("after a hold: %v, %v", since, trusted)
	}
	e.setHold(false, noon.Add(time.Hour))
	if since, _ := e.trustedSince(); !since.Equal(noon.Add(2 * time.Minute)) {
		t.Errorf("long after a hold: %v", since)
	}
}

func TestOnlyVanishedMachinesExpire(t *testing.T) {
	workloads, names := fleet(6, "")
	for _, w := range workloads[:2] {
		w.Annotations[v1beta1.DeleteAfterUnreadyAnnotation] = "10m"
	}
	workloads[3].Annotations[v1beta1.DeleteAfterUnreadyAnnotation] = "1s"
	inWorld(t, workloads, Config{DeleteExpired: true}, func(w *world) {
		w.pass(time.Minute)
		w.setDown(true, names[1], names[2], names[3])
		w.pass(9 * time.Minute)
		w.do(func() {
			if w.expired != 0 {
				t.Errorf("%d expired before their time", w.expired)
			}
		})
		w.pass(3 * time.Minute)
		synctest.Wait()
		list, err := w.client.WorkloadV1beta1().ExternalWorkloads("shop").List(context.Background(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if w.expired != 1 || len(list.Items) != len(workloads)-1 {
			t.Errorf("%d expired, %d are left; want only %s to go", w.expired, len(list.Items), names[1])
		}
		if w.rejected[reasonInvalidExpiry] != 1 {
			t.Errorf("the invalid annotation was rejected %d times, want once", w.rejected[reasonInvalidExpiry])
		}
		if events := strings.Join(w.events, "\n"); !strings.Contains(events, "Normal Expired") {
			t.Errorf("events are\n%s", events)
		}
	})
}
