package desired_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/desired"
)

// TestProbedWorkloadIsReadyOnlyWhereItsProbePassed: a machine at a new address
// must not inherit the readiness of the old one, nor one family from the other.
func TestProbedWorkloadIsReadyOnlyWhereItsProbePassed(t *testing.T) {
	const ipv4, ipv6 = "IPv4 a 192.0.2.1 http:8080/TCP", "IPv6 a 2001:db8::1 http:8080/TCP"
	probed, both := build.Probed(), build.IPs("192.0.2.1", "2001:db8::1")
	notReady := func(w *v1beta1.ExternalWorkload) { w.Status.Conditions[0].Status = v1beta1.ConditionFalse }
	forOther := func(w *v1beta1.ExternalWorkload) { w.UID = "another" }
	said := func(w *v1beta1.ExternalWorkload) { w.Status.Conditions[1].Message = "all is well" }
	for sentence, given := range map[string]struct {
		service []build.ServiceOption
		options []build.WorkloadOption
		change  func(*v1beta1.ExternalWorkload)
		want    []string
	}{
		"its address has passed":                                    {nil, []build.WorkloadOption{probed, build.Proven("192.0.2.1")}, nil, []string{ipv4 + " ready serving"}},
		"no address has":                                            {nil, []build.WorkloadOption{probed, build.Proven()}, nil, []string{ipv4}},
		"another address has":                                       {nil, []build.WorkloadOption{probed, build.Proven("192.0.2.7")}, nil, []string{ipv4}},
		"another object under its name has":                         {nil, []build.WorkloadOption{probed, build.Proven("192.0.2.1")}, forOther, []string{ipv4}},
		"a custom message":                                          {nil, []build.WorkloadOption{probed, build.Proven("192.0.2.1")}, said, []string{ipv4}},
		"it has passed, but Ready is False":                         {nil, []build.WorkloadOption{probed, build.Proven("192.0.2.1")}, notReady, []string{ipv4}},
		"without a probe Ready alone counts":                        {nil, []build.WorkloadOption{build.Proven()}, nil, []string{ipv4 + " ready serving"}},
		"without a probe the proof does not count":                  {nil, []build.WorkloadOption{build.Proven("192.0.2.7")}, nil, []string{ipv4 + " ready serving"}},
		"both families have passed":                                 {dual, []build.WorkloadOption{probed, both, build.Proven("192.0.2.1", "2001:db8::1")}, nil, []string{ipv4 + " ready serving", ipv6 + " ready serving"}},
		"IPv4 does not prove IPv6":                                  {dual, []build.WorkloadOption{probed, both, build.Proven("192.0.2.1")}, nil, []string{ipv4 + " ready serving", ipv6}},
		"IPv6 does not prove IPv4":                                  {dual, []build.WorkloadOption{probed, both, build.Proven("2001:db8::1")}, nil, []string{ipv4, ipv6 + " ready serving"}},
		"a dead IPv6 does not affect a Service with IPv4":           {nil, []build.WorkloadOption{probed, build.IPs("2001:db8::1", "192.0.2.1"), build.Proven("192.0.2.1")}, nil, []string{ipv4 + " ready serving"}},
		"it is written in another form":                             {[]build.ServiceOption{build.Families(corev1.IPv6Protocol)}, []build.WorkloadOption{probed, build.IPs("2001:DB8:0::1"), build.Proven("2001:db8::1")}, nil, []string{ipv6 + " ready serving"}},
		"with publishNotReadyAddresses it is ready and not serving": {[]build.ServiceOption{build.PublishNotReady()}, []build.WorkloadOption{probed, build.Proven("192.0.2.7")}, nil, []string{ipv4 + " ready"}},
		"being deleted, it serves at the address that has passed":   {nil, []build.WorkloadOption{probed, build.Deleting(), build.Proven("192.0.2.1")}, nil, []string{ipv4 + " serving terminating"}},
		"being deleted, it does not serve at another":               {nil, []build.WorkloadOption{probed, build.Deleting(), build.Proven("192.0.2.7")}, nil, []string{ipv4 + " terminating"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			object := build.Workload("shop/a", given.options...)
			if given.change != nil {
				given.change(object)
			}
			got := lines(compute(build.Service("shop/web", given.service...), with(object)))
			if diff := cmp.Diff(given.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

var dual = []build.ServiceOption{build.Families(corev1.IPv4Protocol, corev1.IPv6Protocol)}

func TestProbeAnnotationIsIgnoredWithoutProbing(t *testing.T) {
	objects := with(build.Workload("shop/a", build.Probed()))
	var state desired.State
	state.Compute(build.Service("shop/web"), known(objects, longAfter), desired.Options{Now: longAfter, IgnoreProbes: true})
	if diff := cmp.Diff([]string{"IPv4 a 192.0.2.1 http:8080/TCP ready serving"}, lines(&state)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestOfTwoWorkloadsWithOneAddressTheProvenOneIsPublished(t *testing.T) {
	unproven, proven := build.Workload("shop/a", build.Probed()), build.Workload("shop/b", build.Probed(), build.Proven("192.0.2.1"))
	want := []string{"IPv4 b 192.0.2.1 http:8080/TCP ready serving", "skip a DuplicateAddress IPv4 for b"}
	if diff := cmp.Diff(want, lines(compute(build.Service("shop/web"), with(unproven, proven)))); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestWhatIsProvenCounts(t *testing.T) {
	first := desired.NewWorkload(build.Workload("shop/a", build.Probed(), build.Proven("192.0.2.1")), nil, desired.Sighting{At: longAfter})
	for sentence, row := range map[string]struct {
		options []build.WorkloadOption
		counts  bool
	}{
		"another port of the address": {[]build.WorkloadOption{build.Probed(), build.Proven("192.0.2.1"), otherPort}, false},
		"the proof is gone":           {[]build.WorkloadOption{build.Probed(), build.Proven()}, true},
		"the proof is another's":      {[]build.WorkloadOption{build.Probed(), build.Proven("192.0.2.2")}, true},
		"the probe is gone":           {[]build.WorkloadOption{build.Proven("192.0.2.1")}, true},
	} {
		next := desired.NewWorkload(build.Workload("shop/a", row.options...), first, desired.Sighting{At: longAfter})
		if counts := next != first; counts != row.counts {
			t.Errorf("%s: it counts: %t, want %t", sentence, counts, row.counts)
		}
	}
}

var otherPort = build.Annotation(v1beta1.ProbeAnnotation, `{"tcpSocket":{"port":81}}`)
