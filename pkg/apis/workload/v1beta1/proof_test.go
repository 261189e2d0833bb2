package v1beta1_test

import (
	"net/netip"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

func TestProofsAreReadAsTheyAreWritten(t *testing.T) {
	for text, proof := range map[string]v1beta1.Proof{
		"10.77.0.1:8080 uid=7c9d":                  {Target: netip.MustParseAddrPort("10.77.0.1:8080"), UID: "7c9d"},
		"[2001:db8::1]:80 uid=7c9d":                {Target: netip.MustParseAddrPort("[2001:db8::1]:80"), UID: "7c9d"},
		"10.77.0.1:80 uid=7c9d host=vm.example:81": {Target: netip.MustParseAddrPort("10.77.0.1:80"), UID: "7c9d", Host: "vm.example:81"},
	} {
		if got := proof.String(); got != text {
			t.Errorf("written as %q, want %q", got, text)
		}
		if got, ok := v1beta1.ParseProof(text); !ok || got != proof {
			t.Errorf("%q is read as %+v, %t", text, got, ok)
		}
	}
}

func TestOtherTextsProveNothing(t *testing.T) {
	for _, text := range []string{
		"", " ", "10.77.0.1:8080", "10.77.0.1 uid=a", "10.77.0.1:8080 a", "10.77.0.1:8080  uid=a", "vm:80 uid=a",
		"10.77.0.1:8080 uid=a host=", "10.77.0.1:8080 uid=a port=1", "10.77.0.1:8080 uid=a host=b c", "10.77.0.1:80000 uid=a",
	} {
		if proof, ok := v1beta1.ParseProof(text); ok {
			t.Errorf("%q is read as %+v", text, proof)
		}
	}
}

func TestConditionProvesOneAddressOfOneInstance(t *testing.T) {
	const text = "10.77.0.1:8080 uid=7c9d"
	for name, test := range map[string]struct {
		status       v1beta1.ConditionStatus
		message      string
		address, uid string
		want         bool
	}{
		"the address that passed":         {"True", text, "10.77.0.1", "7c9d", true},
		"another address":                 {"True", text, "10.77.0.2", "7c9d", false},
		"an address that begins alike":    {"True", text, "10.77.0.10", "7c9d", false},
		"another instance under the name": {"True", text, "10.77.0.1", "7c9e", false},
		"a condition that is False":       {"False", text, "10.77.0.1", "7c9d", false},
		"a condition that is Unknown":     {"Unknown", text, "10.77.0.1", "7c9d", false},
		"a custom message":                {"True", "all is well at 10.77.0.1:8080", "10.77.0.1", "7c9d", false},
		"no address":                      {"True", text, "", "7c9d", false},
	} {
		t.Run(name, func(t *testing.T) {
			condition := v1beta1.WorkloadCondition{Type: v1beta1.WorkloadReadyIPv4, Status: test.status, Message: test.message}
			if got := condition.Proves(test.address, types.UID(test.uid)); got != test.want {
				t.Errorf("proves it: %t, want %t", got, test.want)
			}
		})
	}
}
