package desired_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/desired"
)

func TestChangeThatCounts(t *testing.T) {
	base := build.Workload("shop/a", build.Zone("z1"))
	first := desired.NewWorkload(base, nil, desired.Sighting{At: longAfter})
	for sentence, change := range map[string]build.WorkloadOption{
		"readiness":          build.NotReady(),
		"deletion":           build.Deleting(),
		"zone":               build.Zone("z2"),
		"address":            build.IPs("192.0.2.2"),
		"a second address":   build.IPs("192.0.2.1", "2001:db8::1"),
		"an invalid address": build.IPs("192.0.2.1", "::1"),
		"port number":        build.WorkloadPorts(build.WorkloadPort("http", 8081, "TCP")),
		"port name":          build.WorkloadPorts(build.WorkloadPort("web", 8080, "TCP")),
		"port protocol":      build.WorkloadPorts(build.WorkloadPort("http", 8080, "UDP")),
		"identity":           build.MeshTLS("other", "a.example"),
		"server name":        build.MeshTLS("a.identity.example", "other"),
		"another object":     build.UID("other"),
	} {
		t.Run(sentence, func(t *testing.T) {
			at := longAfter.Add(time.Minute)
			next := desired.NewWorkload(build.Workload("shop/a", build.Zone("z1"), change), first, desired.Sighting{At: at})
			if next == first {
				t.Fatal("the change does not count")
			}
			if !next.Changed.Equal(at) {
				t.Errorf("changed at %v, want %v", next.Changed, at)
			}
		})
	}
}

func TestChangeThatDoesNotCount(t *testing.T) {
	base := build.Workload("shop/a")
	first := desired.NewWorkload(base, nil, desired.Sighting{At: longAfter})
	heartbeat := build.Condition(v1beta1.WorkloadReady, v1beta1.ConditionTrue)
	heartbeat.LastProbeTime, heartbeat.LastTransitionTime = metav1.NewTime(longAfter), metav1.NewTime(longAfter)
	heartbeat.Reason, heartbeat.Message = "Probed", "all is well"
	for sentence, change := range map[string]build.WorkloadOption{
		"nothing":                          build.IPs("192.0.2.1"),
		"a heartbeat":                      build.Conditions(heartbeat),
		"another condition":                build.Conditions(heartbeat, build.Condition("Disk", "False")),
		"an annotation":                    build.Annotation("note", "x"),
		"a label":                          build.Label("note", "x"),
		"the case of the protocol":         build.WorkloadPorts(build.WorkloadPort("http", 8080, "tcp")),
		"leaving the protocol out":         build.WorkloadPorts(build.WorkloadPort("http", 8080, "")),
		"an address that is not the first": build.IPs("192.0.2.1", "192.0.2.7"),
	} {
		t.Run(sentence, func(t *testing.T) {
			if desired.NewWorkload(build.Workload("shop/a", change), first, desired.Sighting{At: longAfter.Add(time.Minute)}) != first {
				t.Error("the change counts")
			}
		})
	}
}

func TestTimeOfChange(t *testing.T) {
	ready := build.Condition(v1beta1.WorkloadReady, v1beta1.ConditionTrue)
	ready.LastTransitionTime = metav1.NewTime(build.Epoch.Add(time.Minute))
	other := build.Condition("Disk", v1beta1.ConditionTrue)
	other.LastTransitionTime = metav1.NewTime(build.Epoch.Add(2 * time.Minute))
	for sentence, row := range map[string]struct {
		conditions []v1beta1.WorkloadCondition
		initial    bool
		want       time.Time
	}{
		"seen while watching: now":                       {[]v1beta1.WorkloadCondition{ready}, false, longAfter},
		"existing: when it last became ready":            {[]v1beta1.WorkloadCondition{other, ready}, true, build.Epoch.Add(time.Minute)},
		"existing and never ready: when it was created":  {[]v1beta1.WorkloadCondition{other}, true, build.Epoch},
		"existing, the condition has no transition time": {[]v1beta1.WorkloadCondition{build.Condition("Ready", "True")}, true, build.Epoch},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := desired.NewWorkload(build.Workload("shop/a", build.Conditions(row.conditions...)), nil, desired.Sighting{At: longAfter, Initial: row.initial})
			if !w.Changed.Equal(row.want) {
				t.Errorf("changed at %v, want %v", w.Changed, row.want)
			}
		})
	}
}

func TestIdentity(t *testing.T) {
	base := desired.NewWorkload(build.Workload("shop/a", build.MeshTLS("i", "s")), nil, desired.Sighting{})
	if len(base.Identity) != 8 {
		t.Errorf("identity %q has not 8 characters", base.Identity)
	}
	for sentence, other := range map[string]*v1beta1.ExternalWorkload{
		"another identity":            build.Workload("shop/a", build.MeshTLS("j", "s")),
		"another server name":         build.Workload("shop/a", build.MeshTLS("i", "t")),
		"another name":                build.Workload("shop/b", build.MeshTLS("i", "s")),
		"both exchanged":              build.Workload("shop/a", build.MeshTLS("s", "i")),
		"a character moved to server": build.Workload("shop/a", build.MeshTLS("", "is")),
	} {
		if desired.NewWorkload(other, nil, desired.Sighting{}).Identity == base.Identity {
			t.Errorf("%s gives the same digest", sentence)
		}
	}
	changed := desired.NewWorkload(build.Workload("shop/a", build.MeshTLS("j", "s")), base, desired.Sighting{})
	again := desired.NewWorkload(build.Workload("shop/a", build.UID("new"), build.MeshTLS("k", "s")), changed, desired.Sighting{})
	if changed.FirstIdentity != base.Identity {
		t.Error("a changed workload loses the identity that was seen first")
	}
	if again.FirstIdentity != again.Identity {
		t.Error("a workload that was recreated keeps the identity of its predecessor")
	}
}

func TestHeldUntilSettled(t *testing.T) {
	options := func(now time.Time) desired.Options { return desired.Options{ManagedBy: build.ManagedBy, Now: now} }
	const line = "IPv4 a 192.0.2.1 http:8080/TCP ready"
	for sentence, row := range map[string]struct {
		firstSeen, now time.Duration // after creation
		service        []build.ServiceOption
		workload       []build.WorkloadOption
		want           string
		retry          time.Duration // after creation; 0 for none
	}{
		"created just now":                       {0, 0, nil, nil, line + " held serving", 100 * time.Millisecond},
		"99 ms after first sight":                {0, 99 * time.Millisecond, nil, nil, line + " held serving", 100 * time.Millisecond},
		"100 ms after first sight":               {0, 100 * time.Millisecond, nil, nil, line + " serving", 0},
		"seen within a second of creation":       {999 * time.Millisecond, 999 * time.Millisecond, nil, nil, line + " held serving", 1099 * time.Millisecond},
		"seen long after creation":               {2 * time.Second, 2 * time.Second, nil, nil, line + " serving", 0},
		"created in the future, by a slow clock": {-time.Minute, -time.Minute, nil, nil, line + " held serving", -time.Minute + 100*time.Millisecond},
		"not ready, so no consumer looks it up":  {0, 0, nil, []build.WorkloadOption{build.NotReady()}, "IPv4 a 192.0.2.1 http:8080/TCP", 0},
		"not ready, but published as ready":      {0, 0, []build.ServiceOption{build.PublishNotReady()}, []build.WorkloadOption{build.NotReady()}, line + " held", 100 * time.Millisecond},
	} {
		t.Run(sentence, func(t *testing.T) {
			var state desired.State
			w := desired.NewWorkload(build.Workload("shop/a", row.workload...), nil, desired.Sighting{At: build.Epoch.Add(row.firstSeen)})
			state.Compute(build.Service("shop/web", row.service...), []*desired.Workload{w}, options(build.Epoch.Add(row.now)))
			if diff := cmp.Diff([]string{row.want}, lines(&state)); diff != "" {
				t.Errorf("published differs (-want +got):\n%s", diff)
			}
			var want time.Time
			if row.retry != 0 {
				want = build.Epoch.Add(row.retry)
			}
			if !state.RetryAt.Equal(want) {
				t.Errorf("retry at %v, want %v", state.RetryAt, want)
			}
		})
	}
}

// TestRestartDuringAnInterruptionHoldsWhatIsNewOnly: every machine that became ready was
// held for up to a minute, even if consumers knew it.
func TestRestartDuringAnInterruptionHoldsWhatIsNewOnly(t *testing.T) {
	interrupted := longAfter
	recovery := desired.Recovery{From: interrupted, Until: interrupted.Add(time.Minute)}
	seen := desired.Sighting{At: interrupted.Add(10 * time.Second), Initial: true, Recovery: recovery}
	for sentence, row := range map[string]struct {
		created time.Time
		held    bool
	}{
		"created long before":     {interrupted.Add(-time.Hour), false},
		"created just before":     {interrupted.Add(-time.Second), true},
		"created after its begin": {interrupted.Add(time.Second), true},
		"created when seen":       {seen.At, true},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := desired.NewWorkload(build.Workload("shop/a", build.Created(row.created)), nil, seen)
			var state desired.State
			state.Compute(build.Service("shop/web"), []*desired.Workload{w}, desired.Options{Now: recovery.Until.Add(-time.Second), Recovery: recovery})
			if held := state.Families[0].Endpoints[0].Held; held != row.held {
				t.Errorf("held: %t, want %t", held, row.held)
			}
		})
	}
}

func TestHeldWorkloadStaysHeldThroughChanges(t *testing.T) {
	first := desired.NewWorkload(build.Workload("shop/a"), nil, desired.Sighting{At: build.Epoch})
	later := desired.NewWorkload(build.Workload("shop/a", build.IPs("192.0.2.2")), first, desired.Sighting{At: build.Epoch.Add(50 * time.Millisecond)})
	if !later.SettledAt.Equal(first.SettledAt) {
		t.Errorf("settled at %v after a change, want %v", later.SettledAt, first.SettledAt)
	}
	var state desired.State
	other := desired.NewWorkload(build.Workload("shop/b", build.IPs("192.0.2.3")), nil, desired.Sighting{At: build.Epoch.Add(20 * time.Millisecond)})
	state.Compute(build.Service("shop/web"), []*desired.Workload{later, other}, desired.Options{Now: build.Epoch.Add(60 * time.Millisecond)})
	if !state.RetryAt.Equal(first.SettledAt) {
		t.Errorf("retry at %v, want the earliest, %v", state.RetryAt, first.SettledAt)
	}
}

func TestWithholdSecondFamily(t *testing.T) {
	objects := with(
		build.Workload("shop/a", build.IPs("192.0.2.1", "2001:db8::1"), build.Zone("z1")),
		build.Workload("shop/b", build.IPs("2001:db8::2")),
	)
	service := build.Service("shop/web", dualStack, build.Traffic(corev1.ServiceTrafficDistributionPreferClose))
	var state desired.State
	state.Compute(service, known(objects, longAfter), desired.Options{Now: longAfter, WithholdSecondFamily: true})
	want := []string{
		"IPv4 a 192.0.2.1 http:8080/TCP ready serving zone=z1 hint=z1",
		"IPv6 a 2001:db8::1 http:8080/TCP serving zone=z1",
		"IPv6 b 2001:db8::2 http:8080/TCP ready serving",
	}
	if diff := cmp.Diff(want, lines(&state)); diff != "" {
		t.Errorf("published differs (-want +got):\n%s", diff)
	}
}

// TestWithheldEndpointTakesNoAddress: it took the address from a workload that is ready
// there, so nobody was.
func TestWithheldEndpointTakesNoAddress(t *testing.T) {
	objects := with(
		build.Workload("shop/a", build.IPs("192.0.2.1", "2001:db8::1"), build.Created(build.Epoch.Add(-time.Hour))),
		build.Workload("shop/b", build.IPs("2001:db8::1")),
	)
	var state desired.State
	state.Compute(build.Service("shop/web", dualStack), known(objects, longAfter), desired.Options{Now: longAfter, WithholdSecondFamily: true})
	want := []string{
		"IPv4 a 192.0.2.1 http:8080/TCP ready serving",
		"IPv6 b 2001:db8::1 http:8080/TCP ready serving",
		"skip a DuplicateAddress IPv6 for b",
	}
	if diff := cmp.Diff(want, lines(&state)); diff != "" {
		t.Errorf("published differs (-want +got):\n%s", diff)
	}
}
