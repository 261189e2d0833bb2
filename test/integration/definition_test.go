package integration

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

const (
	notAnAddress = "not an IP address; write it like 192.0.2.10 or 2001:db8::10, without spaces, zone, leading zeros or port"
	notCanonical = "not the canonical form of the address; write IPv6 in lower case and shortened (RFC 5952), like 2001:db8::10"
	notReachable = "no machine can be reached at this address; loopback, link-local, multicast, broadcast and unspecified addresses are not allowed"
	badPortName  = "a port name has only lower-case letters, digits and hyphens, and begins and ends with a letter or digit"
)

func ports(ports ...v1beta1.PortSpec) build.WorkloadOption { return build.WorkloadPorts(ports...) }

func named(name string) build.WorkloadOption { return ports(build.WorkloadPort(name, 80, "TCP")) }

// TestDefinition checks which ExternalWorkloads our CRD refuses and with which message;
// the message is empty if it accepts the object.
func TestDefinition(t *testing.T) {
	s := newIdleSite(t, sharedPlane(t))
	for name, test := range map[string]struct {
		change build.WorkloadOption
		says   string
	}{
		"both families":                {build.IPs("192.0.2.1", "2001:db8::1"), ""},
		"no address":                   {build.IPs(), ""},
		"a private address":            {build.IPs("10.1.2.3"), ""},
		"an empty address":             {build.IPs(""), ""},
		"a name":                       {build.IPs("vm.example.org"), notAnAddress},
		"a space":                      {build.IPs("192.0.2.1 "), notAnAddress},
		"leading zeros":                {build.IPs("192.0.02.1"), notAnAddress},
		"a port":                       {build.IPs("192.0.2.1:80"), notAnAddress},
		"a zone":                       {build.IPs("fe80::1%eth0"), notAnAddress},
		"an IPv4-mapped address":       {build.IPs("::ffff:192.0.2.1"), notAnAddress},
		"upper case":                   {build.IPs("2001:DB8::1"), notCanonical},
		"not shortened":                {build.IPs("2001:db8:0:0::1"), notCanonical},
		"loopback":                     {build.IPs("127.0.0.1"), notReachable},
		"IPv6 loopback":                {build.IPs("::1"), notReachable},
		"link-local":                   {build.IPs("169.254.1.1"), notReachable},
		"multicast":                    {build.IPs("239.1.1.1"), notReachable},
		"broadcast":                    {build.IPs("255.255.255.255"), notReachable},
		"unspecified":                  {build.IPs("0.0.0.0"), notReachable},
		"two of one family":            {build.IPs("192.0.2.1", "192.0.2.2"), "both addresses are of one family; give at most one IPv4 and one IPv6 address"},
		"three addresses":              {build.IPs("192.0.2.1", "2001:db8::1", "192.0.2.2"), "must have at most 2 items"},
		"no ports":                     {ports(), ""},
		"an unnamed port":              {named(""), ""},
		"a name with a hyphen":         {named("http-2"), ""},
		"a name in upper case":         {named("HTTP"), badPortName},
		"a name that ends in a hyphen": {named("http-"), badPortName},
		"a name with two hyphens":      {named("a--b"), "a port name must not have two hyphens in a row"},
		"a name of digits":             {named("80"), "a port name needs at least one letter, so that it is not mistaken for a number"},
		"a long name":                  {named("a123456789012345"), "may not be more than 15"},
		"port 0":                       {ports(build.WorkloadPort("http", 0, "TCP")), "should be greater than or equal to 1"},
		"port 65536":                   {ports(build.WorkloadPort("http", 65536, "TCP")), "should be less than or equal to 65535"},
		"an unknown protocol":          {ports(build.WorkloadPort("http", 80, "ICMP")), `supported values: "TCP", "UDP", "SCTP"`},
		"a protocol in lower case":     {ports(build.WorkloadPort("http", 80, "tcp")), `supported values: "TCP", "UDP", "SCTP"`},
		"one port twice":               {ports(build.WorkloadPort("a", 80, "TCP"), build.WorkloadPort("b", 80, "TCP")), "Duplicate value"},
		"one port twice by default":    {ports(build.WorkloadPort("a", 80, ""), build.WorkloadPort("b", 80, "TCP")), "Duplicate value"},
		"one number, two protocols":    {ports(build.WorkloadPort("a", 53, "TCP"), build.WorkloadPort("b", 53, "UDP")), ""},
		"one name twice":               {ports(build.WorkloadPort("a", 80, "TCP"), build.WorkloadPort("a", 81, "TCP")), "two ports have the same name; give each port of the workload a name of its own"},
		"a hundred and one ports":      {manyPorts(101), "must have at most 100 items"},
		"no identity":                  {build.MeshTLS("", "vm.example"), "spec.meshTLS.identity in body should be at least 1 chars long"},
		"no server name":               {build.MeshTLS("vm.example", ""), "spec.meshTLS.serverName in body should be at least 1 chars long"},
		"a long identity":              {build.MeshTLS(strings.Repeat("a", 254), "vm.example"), "may not be more than 253"},
	} {
		t.Run(name, func(t *testing.T) {
			workload := build.Workload(s.key("try"), test.change)
			workload.UID, workload.ResourceVersion = "", ""
			_, err := s.workloads.WorkloadV1beta1().ExternalWorkloads(s.namespace).Create(t.Context(), workload, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			switch {
			case test.says == "" && err != nil:
				t.Errorf("refused: %v", err)
			case test.says != "" && (!apierrors.IsInvalid(err) || !strings.Contains(wordedAsNow(err), test.says)):
				t.Errorf("got %v\nwant the message %s", err, test.says)
			}
		})
	}
}

// wordedAsNow returns the message in the words of the newest API server. That of Kubernetes
// 1.31 words the maximum length of a string differently.
func wordedAsNow(err error) string {
	return strings.ReplaceAll(err.Error(), "may not be longer than", "may not be more than")
}

func manyPorts(count int) build.WorkloadOption {
	var many []v1beta1.PortSpec
	for i := range count {
		many = append(many, build.WorkloadPort(fmt.Sprint("p", i), int32(1000+i), corev1.ProtocolTCP))
	}
	return build.WorkloadPorts(many...)
}

// TestDefinitionDefaultsAndStatus: the API server defaults the protocol, and status is a
// subresource.
func TestDefinitionDefaultsAndStatus(t *testing.T) {
	s := newIdleSite(t, sharedPlane(t))
	client := s.workloads.WorkloadV1beta1().ExternalWorkloads(s.namespace)
	workload := build.Workload(s.key("a"), ports(build.WorkloadPort("http", 80, "")))
	workload.UID, workload.ResourceVersion = "", ""
	created, err := client.Create(t.Context(), workload, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := created.Spec.Ports[0].Protocol; got != corev1.ProtocolTCP {
		t.Errorf("the protocol is %q, want TCP", got)
	}
	if len(created.Status.Conditions) > 0 {
		t.Errorf("a create stored the status %v", created.Status)
	}
	created.Status.Conditions = []v1beta1.WorkloadCondition{build.Condition(v1beta1.WorkloadReady, "Maybe")}
	if _, err := client.UpdateStatus(t.Context(), created, metav1.UpdateOptions{}); !apierrors.IsInvalid(err) {
		t.Errorf("a condition with status Maybe: %v, want invalid", err)
	}
	created.Status.Conditions[0].Status = v1beta1.ConditionTrue
	created.Status.Conditions = append(created.Status.Conditions, created.Status.Conditions[0])
	if _, err := client.UpdateStatus(t.Context(), created, metav1.UpdateOptions{}); !apierrors.IsInvalid(err) {
		t.Errorf("a condition listed twice: %v, want invalid", err)
	}
}
