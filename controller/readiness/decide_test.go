package readiness

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/external-workload/controller/controller/readiness/probe"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// TestConditions compares the whole list of conditions after deciding and merging.
func TestConditions(t *testing.T) {
	const ready, accepted, theirs = v1beta1.WorkloadReady, v1beta1.WorkloadAccepted, "example.org/Patched"
	old, now := noon.Add(-time.Hour), noon
	other := since(is(theirs, "False", "Theirs", "keep me"), old)
	probing := probed(`{"tcpSocket":{"port":80}}`)
	const named, family4 = `{"tcpSocket":{"port":80,"host":"probe.example.org"}}`, v1beta1.WorkloadReadyIPv4
	const pending = "the probe has not passed yet at 192.0.2.10:80"
	const pending6 = "the probe has not passed yet at [2001:db8::10]:80"
	hosting := probed(named)
	knows := func(h health) *record { return observed(t, workload("w", probing), h) }
	hostKnows := func(h health) *record {
		made := newRecord(workload("w", hosting), named, probe.Options{AllowHost: true})
		made.targets[0].health = h
		return made
	}
	const denied, refusal = "192.0.2.200", "address 192.0.2.200 must not be probed: it is in a denied range"
	dual := func(h health) *record {
		options := probe.Options{Addresses: probe.AddressPolicy{Deny: []netip.Prefix{netip.MustParsePrefix(denied + "/32")}}}
		made := newRecord(workload("w", at(denied, "2001:db8::10")), `{"tcpSocket":{"port":80}}`, options)
		made.targets[0].health = h
		return made
	}
	passed := since(proven("w", "192.0.2.10:80"), now)
	failed := func(at time.Time) v1beta1.WorkloadCondition {
		return probedAt(since(is(v1beta1.WorkloadReadyIPv4, "False", ReasonProbeFailed, "connection refused"), at), at)
	}
	good := health{ready: true, decided: true, probed: now}
	bad := health{decided: true, probed: now, message: "connection refused"}
	const declaredMessage = "declared by the annotation external-workload.io/ready"
	const invalid = `the annotation external-workload.io/ready is "yes!"; it must be "True", "False" or "Unknown"`
	const loopback = "127.0.0.1 is a loopback address, which no other machine can reach; correct spec.workloadIPs"

	for name, test := range map[string]struct {
		workload *v1beta1.ExternalWorkload
		observed *record
		// want is nil if nothing must be written.
		want []v1beta1.WorkloadCondition
	}{
		"without annotations nothing is touched": {workload: workload("w", having(other, is(ready, "Maybe", "", "")))},
		"a declaration is written":               {workload: workload("w", declared("True")), want: []v1beta1.WorkloadCondition{since(is(ready, "True", "Declared", declaredMessage), now)}},
		"Unknown can be declared":                {workload: workload("w", declared("Unknown")), want: []v1beta1.WorkloadCondition{since(is(ready, "Unknown", "Declared", declaredMessage), now)}},
		"a declaration that is in effect is not written": {
			workload: workload("w", declared("True"), having(since(is(ready, "True", "Declared", declaredMessage), old))),
		},
		"a condition that the manifest has inline is written": {
			workload: workload("w", annotated(v1beta1.InlineReadyAnnotation, "True")),
			want:     []v1beta1.WorkloadCondition{since(is(ready, "True", "Declared", "declared by the condition in the manifest"), now)},
		},
		"the annotation takes precedence over the manifest's condition": {
			workload: workload("w", declared("False"), annotated(v1beta1.InlineReadyAnnotation, "True")),
			want:     []v1beta1.WorkloadCondition{since(is(ready, "False", "Declared", declaredMessage), now)},
		},
		"a declaration that another manager has overruled is not written": {
			workload: workload("w", annotated(v1beta1.OverruledAnnotation, "an agent wrote"), having(is(ready, "False", "", ""))),
		},
		"others keep their place, and the transition its time": {
			workload: workload("w", declared("True"), having(other, since(is(ready, "True", "Manual", ""), old), other)),
			want:     []v1beta1.WorkloadCondition{other, since(is(ready, "True", "Declared", declaredMessage), old), other},
		},
		"a transition has a new time": {
			workload: workload("w", declared("False"), having(since(is(ready, "True", "Declared", declaredMessage), old))),
			want:     []v1beta1.WorkloadCondition{since(is(ready, "False", "Declared", declaredMessage), now)},
		},
		"duplicate Ready conditions are merged": {
			workload: workload("w", declared("True"), having(since(is(ready, "True", "Declared", declaredMessage), old), other, is(ready, "False", "", ""))),
			want:     []v1beta1.WorkloadCondition{since(is(ready, "True", "Declared", declaredMessage), old), other},
		},
		"a declaration is read in every spelling of YAML": {workload: workload("w", declared("yes")), want: []v1beta1.WorkloadCondition{since(is(ready, "True", "Declared", declaredMessage), now)}},
		"an invalid negative value declares False": {
			workload: workload("w", declared("disabled"), having(since(is(ready, "True", "Manual", ""), old))),
			want: []v1beta1.WorkloadCondition{since(is(ready, "False", "Declared", declaredMessage), now), since(is(accepted, "False", ReasonInvalidReady,
				`the annotation external-workload.io/ready is "disabled"; it must be "True", "False" or "Unknown"`), now)},
		},
		"another invalid declaration keeps Ready": {
			workload: workload("w", declared("yes!"), having(is(ready, "True", "Manual", ""))),
			want:     []v1beta1.WorkloadCondition{is(ready, "True", "Manual", ""), since(is(accepted, "False", ReasonInvalidReady, invalid), now)},
		},
		"a probe takes precedence over a declaration": {
			workload: workload("w", declared("True"), probing), observed: knows(bad),
			want: []v1beta1.WorkloadCondition{probedAt(since(is(ready, "False", ReasonProbeFailed, "connection refused"), now), now), failed(now)},
		},
		"a probe without a decision keeps Ready":       {workload: workload("w", declared("True"), probing), observed: knows(health{ready: true})},
		"a probe that is not yet observed keeps Ready": {workload: workload("w", declared("True"), probing)},
		"a success is written": {
			workload: workload("w", probing), observed: knows(good),
			want: []v1beta1.WorkloadCondition{probedAt(since(is(ready, "True", ReasonProbeSucceeded, ""), now), now), probedAt(passed, now)},
		},
		"a repeated success is not written": {workload: workload("w", probing, having(probedAt(is(ready, "True", ReasonProbeSucceeded, ""), now.Add(-4*time.Minute)), passed)), observed: knows(good)},
		"a new failure message can wait":    {workload: workload("w", probing, having(probedAt(is(ready, "False", ReasonProbeFailed, "no route to host"), now.Add(-4*time.Minute)), failed(now))), observed: knows(bad)},
		"lastProbeTime is refreshed when it is old enough": {
			workload: workload("w", probing, having(since(probedAt(is(ready, "False", ReasonProbeFailed, "no route to host"), old), old), failed(now))), observed: knows(bad),
			want: []v1beta1.WorkloadCondition{since(probedAt(is(ready, "False", ReasonProbeFailed, "connection refused"), now), old), failed(now)},
		},
		"the time of a proof is refreshed with Ready": {
			workload: workload("w", probing, having(since(probedAt(is(ready, "True", ReasonProbeSucceeded, ""), old), old), probedAt(passed, old))), observed: knows(good),
			want: []v1beta1.WorkloadCondition{since(probedAt(is(ready, "True", ReasonProbeSucceeded, ""), now), old), probedAt(passed, now)},
		},
		"an invalid probe keeps what is proven": {
			workload: workload("w", declared("True"), probing, having(other, is(ready, "True", ReasonProbeSucceeded, ""), passed)),
			observed: &record{uid: "uid-w", problem: &Problem{Reason: ReasonInvalidProbe, Message: "typo"}},
			want:     []v1beta1.WorkloadCondition{other, is(ready, "True", ReasonProbeSucceeded, ""), passed, since(is(accepted, "False", ReasonInvalidProbe, "typo"), now)},
		},
		"an invalid probe proves nothing": {
			workload: workload("w", probing, having(since(is(ready, "True", "Manual", ""), old))),
			observed: &record{uid: "uid-w", problem: &Problem{Reason: ReasonInvalidProbe, Message: "typo"}},
			want:     []v1beta1.WorkloadCondition{since(is(ready, "False", ReasonInvalidProbe, "typo"), now), since(is(accepted, "False", ReasonInvalidProbe, "typo"), now)},
		},
		"a refused probe keeps what is proven": {
			workload: workload("w", probing, having(is(ready, "True", ReasonProbeSucceeded, ""), passed)), observed: knows(health{ready: true, decided: true, refused: "metadata"}),
			want: []v1beta1.WorkloadCondition{is(ready, "True", ReasonProbeSucceeded, ""), passed, since(is(accepted, "False", ReasonProbeAddressRefused, "metadata"), now)},
		},
		"an address that cannot be published is reported": {
			workload: workload("w", at("127.0.0.1"), having(other)),
			want:     []v1beta1.WorkloadCondition{other, since(is(accepted, "False", "InvalidAddress", loopback), now)},
		},
		"all problems are reported": {
			workload: workload("w", at("127.0.0.1"), declared("yes!")),
			want:     []v1beta1.WorkloadCondition{since(is(accepted, "False", ReasonInvalidReady, invalid+"; "+loopback), now)},
		},
		"a reported problem is not written again": {workload: workload("w", at("127.0.0.1"), having(is(accepted, "False", "InvalidAddress", loopback)))},
		"a corrected address is cleared":          {workload: workload("w", having(other, is(accepted, "False", "InvalidAddress", "no"))), want: []v1beta1.WorkloadCondition{other}},
		"a repaired annotation is cleared":        {workload: workload("w", having(is(accepted, "False", ReasonInvalidProbe, "no"))), want: []v1beta1.WorkloadCondition{}},
		"a refused address that is removed is not refused any more": {
			workload: workload("w", probing, at(), having(is(accepted, "False", ReasonProbeAddressRefused, "no"))),
			observed: newRecord(workload("w", probing, at()), `{"tcpSocket":{"port":80}}`, probe.Options{}),
			want:     []v1beta1.WorkloadCondition{},
		},
		"a workload with an address again waits for its probe": {
			workload: workload("w", probing, having(since(is(ready, "False", ReasonNoAddress, "none"), old))), observed: knows(health{}),
			want: []v1beta1.WorkloadCondition{since(is(ready, "False", ReasonProbePending, "the probe has not passed yet at 192.0.2.10:80"), old)},
		},
		"an invalid probe is the reason once there is an address again": {
			workload: workload("w", probed("{}"), having(since(is(ready, "False", ReasonNoAddress, "none"), old))),
			observed: newRecord(workload("w", probed("{}")), "{}", probe.Options{}),
			want: []v1beta1.WorkloadCondition{
				since(is(ready, "False", ReasonInvalidProbe, "the probe has 0 of tcpSocket, httpGet and grpc; it must have exactly one"), old),
				since(is(accepted, "False", ReasonInvalidProbe, "the probe has 0 of tcpSocket, httpGet and grpc; it must have exactly one"), now),
			},
		},
		"a repaired probe is pending, not invalid": {
			workload: workload("w", probing, having(since(is(ready, "False", ReasonInvalidProbe, "typo"), old), since(is(family4, "False", ReasonInvalidProbe, "typo"), old))), observed: knows(health{}),
			want: []v1beta1.WorkloadCondition{since(is(ready, "False", ReasonProbePending, pending), old), since(is(family4, "False", ReasonProbePending, pending), old)},
		},
		"an address in place of a refused one is pending": {
			workload: workload("w", probing, having(since(is(ready, "False", ReasonProbeAddressRefused, "metadata"), old), since(is(family4, "False", ReasonProbeAddressRefused, "metadata"), old))), observed: knows(health{}),
			want: []v1beta1.WorkloadCondition{since(is(ready, "False", ReasonProbePending, pending), old), since(is(family4, "False", ReasonProbePending, pending), old)},
		},
		"a probe in place of a declaration is pending": {
			workload: workload("w", probing, having(since(is(ready, "False", ReasonDeclared, "declared"), old))), observed: knows(health{}),
			want: []v1beta1.WorkloadCondition{since(is(ready, "False", ReasonProbePending, pending), old)},
		},
		"an address that changes twice is named": {
			workload: workload("w", probing, having(since(is(ready, "False", ReasonAddressChanged, "at the second"), old), since(is(family4, "False", ReasonAddressChanged, "at the second"), old))), observed: knows(health{}),
			want: []v1beta1.WorkloadCondition{since(is(ready, "False", ReasonAddressChanged, pending), old), since(is(family4, "False", ReasonAddressChanged, pending), old)},
		},
		"a changed address that may not be probed is refused": {
			workload: workload("w", probing, having(since(is(ready, "False", ReasonAddressChanged, pending), old), since(is(family4, "False", ReasonAddressChanged, pending), old))), observed: knows(health{refused: "metadata"}),
			want: []v1beta1.WorkloadCondition{
				since(is(ready, "False", ReasonProbeAddressRefused, "metadata"), old), since(is(family4, "False", ReasonProbeAddressRefused, "metadata"), old),
				since(is(accepted, "False", ReasonProbeAddressRefused, "metadata"), now),
			},
		},
		"another mistake in the probe is the reason": {
			workload: workload("w", probing, having(since(is(ready, "False", ReasonProbePending, pending), old), since(is(family4, "False", ReasonInvalidProbe, "the first"), old))),
			observed: &record{uid: "uid-w", problem: &Problem{Reason: ReasonInvalidProbe, Message: "typo"}},
			want: []v1beta1.WorkloadCondition{
				since(is(ready, "False", ReasonInvalidProbe, "typo"), old), since(is(family4, "False", ReasonInvalidProbe, "typo"), old),
				since(is(accepted, "False", ReasonInvalidProbe, "typo"), now),
			},
		},
		"without an address nothing else is the reason": {
			workload: workload("w", probing, at(), having(since(is(ready, "False", ReasonInvalidProbe, "typo"), old))),
			observed: newRecord(workload("w", probing, at()), `{"tcpSocket":{"port":80}}`, probe.Options{}),
			want:     []v1beta1.WorkloadCondition{since(is(ready, "False", ReasonNoAddress, "the workload has no address to probe"), old)},
		},
		"a failure stays until the changed probe decides": {
			workload: workload("w", probing, having(is(ready, "False", ReasonProbeFailed, "connection refused"), failed(old))), observed: knows(health{}),
		},
		"another writer's False stays until the probe decides": {
			workload: workload("w", probing, having(is(ready, "False", "Maintenance", "by hand"))), observed: knows(health{}),
		},
		"a host that is permitted now is pending": {
			workload: workload("w", hosting, having(since(is(ready, "False", ReasonHostNotAllowed, "no"), old))),
			observed: newRecord(workload("w", hosting), named, probe.Options{AllowHost: true}),
			want:     []v1beta1.WorkloadCondition{since(is(ready, "False", ReasonProbePending, "the probe has not passed yet at probe.example.org:80"), old)},
		},
		"a host that was refused keeps its reason until it is probed again": {
			workload: workload("w", hosting, having(is(ready, "False", ReasonProbeAddressRefused, "no"), is(family4, "False", ReasonProbeAddressRefused, "no"))),
			observed: newRecord(workload("w", hosting), named, probe.Options{AllowHost: true}),
		},
		"a machine that moves to the other family is withdrawn at once": {
			workload: workload("w", probing, having(since(is(ready, "True", ReasonProbeSucceeded, ""), old), proven("w", "[2001:db8::10]:80"))), observed: knows(health{}),
			want: []v1beta1.WorkloadCondition{since(is(ready, "False", ReasonAddressChanged, pending), now)},
		},
		"the family that fails counts once the other is removed": {
			workload: workload("w", probing, having(since(is(ready, "True", ReasonProbeSucceeded, ""), old), proven("w", "[2001:db8::10]:80"))), observed: knows(bad),
			want: []v1beta1.WorkloadCondition{probedAt(since(is(ready, "False", ReasonProbeFailed, "connection refused"), now), now), failed(now)},
		},
		"another writer's False stays when a family is removed": {
			workload: workload("w", probing, having(is(ready, "False", "Maintenance", "by hand"), proven("w", "[2001:db8::10]:80"))), observed: knows(health{}),
			want: []v1beta1.WorkloadCondition{is(ready, "False", "Maintenance", "by hand")},
		},
		"a failure stays while the other family's changed address is pending": {
			workload: workload("w", probing, at("192.0.2.10", "2001:db8::10"), having(is(ready, "False", ReasonProbeFailed, "connection refused"), failed(old), is(v1beta1.WorkloadReadyIPv6, "False", ReasonAddressChanged, pending6))),
			observed: observed(t, workload("w", probing, at("192.0.2.10", "2001:db8::10")), health{}),
		},
		"another writer's False stays while a changed address is pending": {
			workload: workload("w", probing, having(is(ready, "False", "Maintenance", "by hand"), is(family4, "False", ReasonAddressChanged, pending))), observed: knows(health{}),
		},
		"a changed address withdraws what nothing else makes ready": {
			workload: workload("w", probing, having(since(is(ready, "True", "Agent", ""), old), since(is(family4, "False", ReasonAddressChanged, pending), old))), observed: knows(health{}),
			want: []v1beta1.WorkloadCondition{since(is(ready, "False", ReasonAddressChanged, pending), now), since(is(family4, "False", ReasonAddressChanged, pending), old)},
		},
		"a host that is refused for another address names that": {
			workload: workload("w", hosting, having(since(is(ready, "False", ReasonProbeAddressRefused, "the first"), old), since(is(family4, "False", ReasonProbeAddressRefused, "the first"), old))),
			observed: hostKnows(health{refused: "the second"}),
			want: []v1beta1.WorkloadCondition{
				since(is(ready, "False", ReasonProbeAddressRefused, "the second"), old), since(is(family4, "False", ReasonProbeAddressRefused, "the second"), old),
				since(is(accepted, "False", ReasonProbeAddressRefused, "the second"), now),
			},
		},
		"a proof of a refused address stays": {
			workload: workload("w", probing, at(denied, "2001:db8::10"), having(is(ready, "True", ReasonProbeSucceeded, ""), proven("w", denied+":80"))),
			observed: dual(health{}),
			want:     []v1beta1.WorkloadCondition{is(ready, "True", ReasonProbeSucceeded, ""), proven("w", denied+":80"), since(is(accepted, "False", ReasonProbeAddressRefused, refusal), now)},
		},
		"a proof of another port of a refused address does not count": {
			workload: workload("w", probing, at(denied, "2001:db8::10"), having(since(is(ready, "True", ReasonProbeSucceeded, ""), old), since(proven("w", denied+":81"), old))),
			observed: dual(health{}),
			want: []v1beta1.WorkloadCondition{
				since(is(ready, "False", ReasonProbePending, "the probe has not passed yet at [2001:db8::10]:80; "+refusal), now),
				since(is(family4, "False", ReasonProbeAddressRefused, refusal), now),
				since(is(accepted, "False", ReasonProbeAddressRefused, refusal), now),
			},
		},
		"a proof of a host does not count for a refused address": {
			workload: workload("w", probing, at(denied, "2001:db8::10"), having(since(is(ready, "True", ReasonProbeSucceeded, ""), old),
				since(is(family4, "True", ReasonProbeSucceeded, denied+":80 uid=uid-w host=probe.example.org:80"), old))),
			observed: dual(health{}),
			want: []v1beta1.WorkloadCondition{
				since(is(ready, "False", ReasonProbePending, "the probe has not passed yet at [2001:db8::10]:80; "+refusal), now),
				since(is(family4, "False", ReasonProbeAddressRefused, refusal), now),
				since(is(accepted, "False", ReasonProbeAddressRefused, refusal), now),
			},
		},
		"a host proves nothing without an address": {
			workload: workload("w", hosting, at(), having(since(is(ready, "True", ReasonProbeSucceeded, ""), old))),
			observed: newRecord(workload("w", hosting, at()), named, probe.Options{AllowHost: true}),
			want:     []v1beta1.WorkloadCondition{since(is(ready, "False", ReasonNoAddress, "the workload has no address to probe"), now)},
		},
		"an invalid probe says nothing about a family without an address": {
			workload: workload("w", probing, having(is(ready, "True", ReasonProbeSucceeded, ""), passed, is(v1beta1.WorkloadReadyIPv6, "False", ReasonProbeFailed, "connection refused"))),
			observed: &record{uid: "uid-w", problem: &Problem{Reason: ReasonInvalidProbe, Message: "typo"}},
			want:     []v1beta1.WorkloadCondition{is(ready, "True", ReasonProbeSucceeded, ""), passed, since(is(accepted, "False", ReasonInvalidProbe, "typo"), now)},
		},
		"an invalid probe holds nothing": {
			workload: workload("w", probing, having(since(is(ready, "True", ReasonProbeHeld, "no answer within 1s"), old), passed)),
			observed: &record{uid: "uid-w", problem: &Problem{Reason: ReasonInvalidProbe, Message: "typo"}},
			want:     []v1beta1.WorkloadCondition{since(is(ready, "True", ReasonProbeSucceeded, ""), old), passed, since(is(accepted, "False", ReasonInvalidProbe, "typo"), now)},
		},
		"a refused address keeps its state until it is probed again": {workload: workload("w", probing, having(is(accepted, "False", ReasonProbeAddressRefused, "no"))), observed: knows(health{})},
		"another writer's Accepted is kept":                          {workload: workload("w", having(is(accepted, "True", "Theirs", "")))},
		"another writer's reason is kept":                            {workload: workload("w", having(is(accepted, "False", "Theirs", "")))},
		"without a probe nothing is proven":                          {workload: workload("w", having(is(ready, "True", ReasonProbeSucceeded, ""), passed)), want: []v1beta1.WorkloadCondition{is(ready, "True", ReasonProbeSucceeded, "")}},
		"an object that cannot be read is not written":               {workload: workload("w", declared("True"), annotated(v1beta1.UnreadableAnnotation, "broken"))},
	} {
		t.Run(name, func(t *testing.T) {
			before := test.workload.DeepCopy()
			due := func(lastProbe time.Time) bool { return now.Sub(lastProbe) >= 5*time.Minute }
			got, differs := merge(test.workload.Status.Conditions, decide(test.workload, test.observed), now, due)
			if diff := cmp.Diff(before, test.workload); diff != "" {
				t.Errorf("the workload was changed: %s", diff)
			}
			want := test.want
			if want == nil {
				want = test.workload.Status.Conditions
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			if differs != (test.want != nil) {
				t.Errorf("differs is %t, want %t", differs, test.want != nil)
			}
			if again, differs := merge(got, decide(withConditions(test.workload, got), test.observed), now, due); differs {
				t.Errorf("it would be written again: %+v", again)
			}
		})
	}
}

func withConditions(before *v1beta1.ExternalWorkload, conditions []v1beta1.WorkloadCondition) *v1beta1.ExternalWorkload {
	after := before.DeepCopy()
	after.Status.Conditions = conditions
	return after
}

// observed returns the observations of a workload's probe, with this health for all
// targets.
func observed(t *testing.T, workload *v1beta1.ExternalWorkload, healths ...health) *record {
	t.Helper()
	made := newRecord(workload, workload.Annotations[v1beta1.ProbeAnnotation], probe.Options{})
	if made.problem != nil {
		t.Fatal(made.problem.Message)
	}
	for i := range made.targets {
		made.targets[i].health = healths[min(i, len(healths)-1)]
	}
	return made
}
