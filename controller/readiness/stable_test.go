package readiness

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/external-workload/controller/controller/readiness/probe"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// TestDecisionsAreStable combines conditions, addresses and results of probes. One write
// has to be enough, a restart has to write nothing, and Ready has to be True only with a
// family.
func TestDecisionsAreStable(t *testing.T) {
	const own, host, ipv4, ipv6, denied = `{"tcpSocket":{"port":80}}`, `{"tcpSocket":{"port":80,"host":"probe.example.org"}}`, "192.0.2.10", "2001:db8::10", "192.0.2.200"
	options := probe.Options{AllowHost: true, Addresses: probe.AddressPolicy{Deny: []netip.Prefix{netip.MustParsePrefix(denied + "/32")}}}
	good, bad := health{ready: true, decided: true, probed: noon}, health{decided: true, probed: noon, message: "connection refused"}
	for _, annotation := range []string{own, host, "{}"} {
		for _, addresses := range [][]string{nil, {ipv4}, {ipv4, ipv6}, {denied}, {denied, ipv6}} {
			for _, conditions := range possibleConditions(ipv4+":80", "["+ipv6+"]:80") {
				before := workload("w", probed(annotation), at(addresses...), having(conditions...))
				for _, first := range []health{{}, good, bad} {
					for _, second := range []health{{}, good, bad} {
						observed := newRecord(before, annotation, options)
						for i := range observed.targets {
							observed.targets[i].health = []health{first, second}[i]
						}
						observed.adoptConditions(before)
						mustBeStable(t, before, observed, options)
					}
				}
			}
		}
	}
}

// possibleConditions returns lists of conditions that this controller and others may
// have written before.
func possibleConditions(ipv4, ipv6 string) (lists [][]v1beta1.WorkloadCondition) {
	const v4, v6 = v1beta1.WorkloadReadyIPv4, v1beta1.WorkloadReadyIPv6
	for _, ready := range [][]v1beta1.WorkloadCondition{
		nil,
		{is(v1beta1.WorkloadReady, "True", ReasonProbeSucceeded, "")},
		{is(v1beta1.WorkloadReady, "True", ReasonProbeHeld, "no answer")},
		{is(v1beta1.WorkloadReady, "True", ReasonDeclared, "")},
		{is(v1beta1.WorkloadReady, "False", ReasonProbeFailed, "no answer")},
		{is(v1beta1.WorkloadReady, "False", ReasonAddressChanged, "old")},
		{is(v1beta1.WorkloadReady, "False", ReasonProbeAddressRefused, "old")},
		{is(v1beta1.WorkloadReady, "False", ReasonNoAddress, "old")},
		{is(v1beta1.WorkloadReady, "False", ReasonInvalidProbe, "old")},
		{is(v1beta1.WorkloadReady, "Unknown", "Maintenance", "by hand")},
	} {
		for _, first := range [][]v1beta1.WorkloadCondition{
			nil, {proven("w", ipv4)}, {proven("another", ipv4)}, {is(v4, "True", ReasonProbeSucceeded, ipv4+" uid=uid-w host=probe.example.org:80")},
			{is(v4, "False", ReasonProbeFailed, "no answer")}, {is(v4, "False", ReasonAddressChanged, "old")}, {is(v4, "False", ReasonInvalidProbe, "old")},
		} {
			for _, second := range [][]v1beta1.WorkloadCondition{
				nil, {proven("w", ipv6)}, {is(v6, "False", ReasonProbeFailed, "no answer")}, {is(v6, "False", ReasonProbeAddressRefused, "old")},
			} {
				lists = append(lists, slices.Concat(ready, first, second))
			}
		}
	}
	return lists
}

func mustBeStable(t *testing.T, before *v1beta1.ExternalWorkload, observed *record, options probe.Options) {
	t.Helper()
	due := func(lastProbe time.Time) bool { return noon.Sub(lastProbe) >= 5*time.Minute }
	written, _ := merge(before.Status.Conditions, decide(before, observed), noon, due)
	after := withConditions(before, written)
	if again, differs := merge(written, decide(after, observed), noon, due); differs {
		t.Fatalf("%+v at %v, probed by %s: it would be written again: %s", before.Status.Conditions, before.Spec.WorkloadIPs, before.Annotations, cmp.Diff(written, again))
	}
	if isReady(after) && !slices.ContainsFunc(familyConditions, func(kind v1beta1.WorkloadConditionType) bool { return isTrue(written, kind) }) {
		t.Fatalf("%+v at %v, probed by %s: it is ready in no family: %+v", before.Status.Conditions, before.Spec.WorkloadIPs, before.Annotations, written)
	}
	restarted := newRecord(after, after.Annotations[v1beta1.ProbeAnnotation], options)
	restarted.adoptConditions(after)
	if again, differs := merge(written, decide(after, restarted), noon, due); differs {
		t.Fatalf("%+v at %v, probed by %s: a restart would write: %s", before.Status.Conditions, before.Spec.WorkloadIPs, before.Annotations, cmp.Diff(written, again))
	}
}
