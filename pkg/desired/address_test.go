package desired_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/external-workload/controller/internal/build"
)

var dualStack = build.Families(corev1.IPv4Protocol, corev1.IPv6Protocol)

func TestAddressIsCanonical(t *testing.T) {
	for given, want := range map[string]string{
		"192.0.2.1":                 "IPv4 a 192.0.2.1",
		"10.0.0.1":                  "IPv4 a 10.0.0.1",
		"2001:db8::1":               "IPv6 a 2001:db8::1",
		"2001:DB8:0::1":             "IPv6 a 2001:db8::1",
		"2001:0db8:0:0:0:0:0:0001":  "IPv6 a 2001:db8::1",
		"2001:db8:0:0:1:0:0:1":      "IPv6 a 2001:db8::1:0:0:1",
		"64:ff9b::192.0.2.33":       "IPv6 a 64:ff9b::c000:221",
		"fd00::1":                   "IPv6 a fd00::1",
		"255.255.255.254":           "IPv4 a 255.255.255.254",
		"169.253.255.255":           "IPv4 a 169.253.255.255",
		"FEC0:0000:0000:0000::0001": "IPv6 a fec0::1",
	} {
		t.Run(given, func(t *testing.T) {
			got := lines(compute(build.Service("shop/web", dualStack), with(build.Workload("shop/a", build.IPs(given)))))
			if len(got) != 1 || got[0] != want+" http:8080/TCP ready serving" {
				t.Errorf("got %q, want %s", got, want)
			}
		})
	}
}

// The API server refuses each of these in an EndpointSlice, or no other machine can reach
// it.
func TestAddressThatIsSkipped(t *testing.T) {
	for given, want := range map[string]string{
		"":                        "not an IP address",
		" ":                       "not an IP address",
		" 192.0.2.9":              "not an IP address",
		"192.0.2.9 ":              "not an IP address",
		"192.0.2.9\n":             "not an IP address",
		"192.0.02.9":              "not an IP address",
		"192.0.2":                 "not an IP address",
		"192.0.2.256":             "not an IP address",
		"192.0.2.9:80":            "not an IP address",
		"192.0.2.0/24":            "not an IP address",
		"host.example":            "not an IP address",
		"[2001:db8::1]":           "not an IP address",
		"2001:db8::g":             "not an IP address",
		"2001:db8::00001":         "not an IP address",
		"2001:db8::1%eth0":        "zone",
		"fe80::1%eth0":            "zone",
		"::ffff:192.0.2.9":        "IPv4-mapped",
		"::ffff:c000:209":         "IPv4-mapped",
		"0.0.0.0":                 "unspecified",
		"::":                      "unspecified",
		"127.0.0.1":               "loopback",
		"127.255.255.254":         "loopback",
		"::1":                     "loopback",
		"169.254.1.1":             "link-local",
		"fe80::1":                 "link-local",
		"febf::1":                 "link-local",
		"224.0.0.1":               "multicast",
		"239.1.2.3":               "multicast",
		"ff02::1":                 "multicast",
		"ff0e::1":                 "multicast",
		"255.255.255.255":         "broadcast",
		"\x00":                    "not an IP address",
		"१९२.०.२.१":               "not an IP address",
		"1.2.3.4.5":               "not an IP address",
		"0x7f000001":              "not an IP address",
		"3221225985":              "not an IP address",
		strings.Repeat("1:", 100): "not an IP address",
	} {
		t.Run(given, func(t *testing.T) {
			state := compute(build.Service("shop/web", dualStack), with(
				build.Workload("shop/a", build.IPs(given)),
				build.Workload("shop/b", build.IPs("192.0.2.2")),
			))
			got := lines(state)
			if len(got) != 2 || got[0] != "IPv4 b 192.0.2.2 http:8080/TCP ready serving" || !strings.HasPrefix(got[1], "skip a InvalidAddress") {
				t.Fatalf("got %q, want b published and a skipped", got)
			}
			if message := state.Skipped[0].Message(); !strings.Contains(message, want) {
				t.Errorf("the message %q does not say %q", message, want)
			}
		})
	}
}

func TestSeveralAddresses(t *testing.T) {
	const first = "IPv4 a 192.0.2.1 http:8080/TCP ready serving"
	table := map[string]row{}
	for sentence, given := range map[string]struct {
		ips  []string
		want []string
	}{
		"the first of one family is used":                 {[]string{"192.0.2.1", "192.0.2.9"}, []string{first}},
		"the first valid one is used":                     {[]string{"127.0.0.1", "nonsense", "192.0.2.1"}, []string{first}},
		"an invalid one after a valid one is ignored":     {[]string{"192.0.2.1", "127.0.0.1"}, []string{first}},
		"without addresses it is skipped":                 {nil, []string{"skip a NoAddress"}},
		"an invalid one does not affect the other family": {[]string{"192.0.2.1", "::1"}, []string{first, "skip a InvalidAddress IPv6"}},
		"invalid ones of both families are skipped in both": {
			[]string{"127.0.0.1", "::1"}, []string{"skip a InvalidAddress IPv4", "skip a InvalidAddress IPv6"},
		},
	} {
		table[sentence] = row{build.Service("shop/web", dualStack), with(build.Workload("shop/a", build.IPs(given.ips...))), given.want}
	}
	table["a bad one of a family that the Service has not does not matter"] = row{
		build.Service("shop/web"), with(build.Workload("shop/a", build.IPs("192.0.2.1", "::1"))), []string{first},
	}
	check(t, table)
}
