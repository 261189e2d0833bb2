package plan_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/external-workload/controller/pkg/plan"
)

// Dumping and parsing a slice keeps all fields that consumers read.
func TestDumpAndParseDump(t *testing.T) {
	ref := func(name string) *corev1.ObjectReference {
		return &corev1.ObjectReference{Kind: "ExternalWorkload", Namespace: "shop", Name: name, UID: "a-uid"}
	}
	for line, want := range map[string]*discoveryv1.EndpointSlice{
		"empty []": {AddressType: discoveryv1.AddressTypeIPv4},
		"six IPv6 [53/UDP,h2:80/TCP(kubernetes.io/h2c),nil:1/TCP,x:nil]": {
			AddressType: discoveryv1.AddressTypeIPv6,
			Ports: []discoveryv1.EndpointPort{
				{Name: new(""), Port: new(int32(53)), Protocol: new(corev1.ProtocolUDP)},
				{Name: new("h2"), Port: new(int32(80)), Protocol: new(corev1.ProtocolTCP), AppProtocol: new("kubernetes.io/h2c")},
				{Port: new(int32(1)), Protocol: new(corev1.ProtocolTCP)},
				{Name: new("x")},
			},
		},
		"usual [] a@2001:db8::1~z1": {
			AddressType: discoveryv1.AddressTypeIPv6,
			Endpoints: []discoveryv1.Endpoint{{
				Addresses:  []string{"2001:db8::1"},
				Conditions: discoveryv1.EndpointConditions{Ready: new(true), Serving: new(true), Terminating: new(false)},
				Zone:       new("z1"), Hints: &discoveryv1.EndpointHints{ForZones: []discoveryv1.ForZone{{Name: "z1"}}}, TargetRef: ref("a"),
			}},
		},
		"unusual [] -a@192.0.2.1~z1+z2{serving=true,terminating=nil,zone=z3,nodes=n1,hostname=a,node=n2} ?@192.0.2.2+192.0.2.3{serving=nil,ref=nil}": {
			AddressType: discoveryv1.AddressTypeIPv4,
			Endpoints: []discoveryv1.Endpoint{
				{
					Addresses:  []string{"192.0.2.1"},
					Conditions: discoveryv1.EndpointConditions{Ready: new(false), Serving: new(true)},
					Zone:       new("z3"), Hostname: new("a"), NodeName: new("n2"), TargetRef: ref("a"),
					Hints: &discoveryv1.EndpointHints{
						ForZones: []discoveryv1.ForZone{{Name: "z1"}, {Name: "z2"}}, ForNodes: []discoveryv1.ForNode{{Name: "n1"}},
					},
				},
				{Addresses: []string{"192.0.2.2", "192.0.2.3"}, Conditions: discoveryv1.EndpointConditions{Terminating: new(false)}},
			},
		},
	} {
		t.Run(line, func(t *testing.T) {
			want.ObjectMeta = metav1.ObjectMeta{Namespace: "shop", Name: strings.Fields(line)[0]}
			if diff := cmp.Diff(line+"\n", plan.Dump(want)); diff != "" {
				t.Errorf("dumped (-want +got):\n%s", diff)
			}
			got, err := plan.ParseDump("shop", "# a comment\n\n"+line)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]*discoveryv1.EndpointSlice{want}, got); diff != "" {
				t.Errorf("parsed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseDumpSaysWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		"s":                     `line 1: want NAME [PORTS] ENDPOINTS, got "s"`,
		"\ns [http:x/TCP]":      `line 2: port "x": strconv.ParseInt: parsing "x": invalid syntax`,
		"s [] a":                `line 1: endpoint "a" has no address`,
		"s [] a@192.0.2.1{x=y}": `line 1: unknown field "x=y"`,
	} {
		if _, err := plan.ParseDump("shop", text); err == nil || err.Error() != want {
			t.Errorf("%q: error %v, want %s", text, err, want)
		}
	}
}
