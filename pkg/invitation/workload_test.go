package invitation

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

const ranges = v1beta1.InvitedCIDRsAnnotation

func TestWorkload(t *testing.T) {
	for sentence, test := range map[string]struct {
		options []build.WorkloadOption
		cidrs   []string
		want    string
		problem string
	}{
		"requested ranges":                    {[]build.WorkloadOption{build.IPs()}, []string{"10.20.0.0/16", "2001:db8::/64"}, "10.20.0.0/16,2001:db8::/64", ""},
		"ranges of the manifest":              {[]build.WorkloadOption{build.IPs(), build.Annotation(ranges, "10.20.0.0/16")}, nil, "10.20.0.0/16", ""},
		"ranges that replace the manifest's":  {[]build.WorkloadOption{build.IPs(), build.Annotation(ranges, "10.20.0.0/16")}, []string{"10.21.0.0/16"}, "10.21.0.0/16", ""},
		"no ranges: the manifest's addresses": {[]build.WorkloadOption{build.IPs("10.20.0.7", "2001:db8::7")}, nil, "10.20.0.7/32,2001:db8::7/128", ""},
		"neither ranges nor addresses":        {[]build.WorkloadOption{build.IPs()}, nil, "", "give --cidr"},
		"an address outside of the ranges":    {[]build.WorkloadOption{build.IPs("10.21.0.7")}, []string{"10.20.0.0/16"}, "", `the address "10.21.0.7" of the ExternalWorkload is outside`},
		"an invalid address":                  {[]build.WorkloadOption{build.IPs("here")}, nil, "", "spec.workloadIPs: "},
		"an invalid annotation":               {[]build.WorkloadOption{build.IPs(), build.Annotation(ranges, "here")}, nil, "", `"here" is no address range`},
	} {
		t.Run(sentence, func(t *testing.T) {
			cidrs, err := ParseCIDRs(test.cidrs)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Workload(build.Workload("shop/vm-1", test.options...), cidrs)
			checkProblem(t, err, test.problem)
			if err == nil && got.Annotations[ranges] != test.want {
				t.Errorf("the ranges are %q, want %q", got.Annotations[ranges], test.want)
			}
		})
	}
}

func TestAnExistingWorkloadMayGetOtherRanges(t *testing.T) {
	for sentence, test := range map[string]struct {
		addresses []string
		cidrs     []string
		want      string
		outside   []string
	}{
		"no other ranges":                     {[]string{"10.20.0.7"}, nil, "10.20.0.0/16,10.21.0.0/16", nil},
		"ranges with its address":             {[]string{"10.20.0.7"}, []string{"10.20.0.0/24"}, "10.20.0.0/24", nil},
		"ranges without its address":          {[]string{"10.20.0.7"}, []string{"10.22.0.0/16"}, "10.22.0.0/16", []string{"10.20.0.7"}},
		"ranges without one of its addresses": {[]string{"10.20.0.7", "2001:db8::7"}, []string{"10.20.0.0/16"}, "10.20.0.0/16", []string{"2001:db8::7"}},
		"an invalid address":                  {[]string{"here"}, []string{"10.22.0.0/16"}, "10.22.0.0/16", []string{"here"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			cidrs, err := ParseCIDRs(test.cidrs)
			if err != nil {
				t.Fatal(err)
			}
			got, err := WithRanges(build.Workload("shop/vm-1", build.IPs(test.addresses...), build.Annotation(ranges, "10.20.0.0/16,10.21.0.0/16")), cidrs)
			if err != nil {
				t.Fatal(err)
			}
			if got.Annotations[ranges] != test.want {
				t.Errorf("the ranges are %q, want %q", got.Annotations[ranges], test.want)
			}
			if diff := cmp.Diff(test.outside, Outside(got)); diff != "" {
				t.Errorf("addresses outside (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPatch(t *testing.T) {
	invited := build.Annotation(ranges, "10.20.0.0/16")
	live := build.Workload("shop/vm-1", build.IPs("10.20.0.7"), invited, build.Label("team", "mesh"))
	for sentence, test := range map[string]struct {
		desired *v1beta1.ExternalWorkload
		want    string
	}{
		"nothing differs":                         {build.Workload("shop/vm-1", build.IPs("10.20.0.7"), invited), ""},
		"addresses that the machine has set stay": {build.Workload("shop/vm-1", build.IPs("10.20.0.8"), invited), ""},
		"another label":                           {build.Workload("shop/vm-1", invited, build.Label("app", "shop")), `{"metadata":{"labels":{"app":"shop"}},"spec":{}}`},
		"other ranges":                            {build.Workload("shop/vm-1", build.Annotation(ranges, "10.21.0.0/16")), `{"metadata":{"annotations":{"external-workload.io/invited-cidrs":"10.21.0.0/16"}},"spec":{}}`},
		"no ports":                                {build.Workload("shop/vm-1", invited, build.WorkloadPorts()), `{"metadata":{},"spec":{"ports":null}}`},
	} {
		t.Run(sentence, func(t *testing.T) {
			if diff := cmp.Diff(test.want, string(Patch(live, test.desired))); diff != "" {
				t.Errorf("patch (-want +got):\n%s", diff)
			}
		})
	}
	other := build.Workload("shop/vm-1", invited)
	other.Spec.MeshTLS.Identity = "vm-2"
	var patch struct {
		Spec v1beta1.ExternalWorkloadSpec
	}
	if err := json.Unmarshal(Patch(live, other), &patch); err != nil || patch.Spec.MeshTLS != other.Spec.MeshTLS {
		t.Errorf("another identity is patched as %+v (%v)", patch.Spec, err)
	}
}

func TestCheckName(t *testing.T) {
	for sentence, test := range map[string]struct{ name, problem string }{
		"a name":                {"vm-1.example.org", ""},
		"the longest name":      {strings.Repeat("a", maximumName), ""},
		"a name that is longer": {strings.Repeat("a", maximumName+1), "a machine that is invited may have 227"},
		"an invalid name":       {"VM", "is no name of an ExternalWorkload"},
	} {
		t.Run(sentence, func(t *testing.T) { checkProblem(t, CheckName(test.name), test.problem) })
	}
}
