package invitation

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func addresses(texts ...string) []netip.Addr {
	var all []netip.Addr
	for _, text := range texts {
		all = append(all, netip.MustParseAddr(text))
	}
	return all
}

func texts(all []netip.Addr) []string {
	var found []string
	for _, address := range all {
		found = append(found, address.String())
	}
	return found
}

func TestChoose(t *testing.T) {
	for sentence, test := range map[string]struct {
		route, interfaces []netip.Addr
		cidrs             string
		want              []string
		problem           string
	}{
		"the address of the route": {
			addresses("10.20.0.7"), addresses("127.0.0.1", "10.20.0.7", "10.20.0.8"), "10.20.0.0/16", []string{"10.20.0.7"}, ""},
		"the permitted address of an interface, not that of the route": {
			addresses("10.0.2.15"), addresses("127.0.0.1", "10.0.2.15", "10.20.0.8"), "10.20.0.0/16", []string{"10.20.0.8"}, ""},
		"both families": {
			addresses("10.20.0.7", "2001:db8::7"), nil, "10.20.0.0/16,2001:db8::/64", []string{"10.20.0.7", "2001:db8::7"}, ""},
		"one family of the route and the other of an interface": {
			addresses("10.20.0.7"), addresses("fe80::1", "2001:db8::7"), "10.20.0.0/16,2001:db8::/64", []string{"10.20.0.7", "2001:db8::7"}, ""},
		"an ambiguous second family is left out": {
			addresses("10.20.0.7"), addresses("2001:db8::7", "2001:db8::8"), "10.20.0.0/16,2001:db8::/64", []string{"10.20.0.7"}, ""},
		"the family that is permitted": {
			addresses("10.20.0.7", "2001:db8::7"), nil, "2001:db8::/64", []string{"2001:db8::7"}, ""},
		"the same address on two interfaces": {
			nil, addresses("10.20.0.7", "10.20.0.7"), "10.20.0.0/16", []string{"10.20.0.7"}, ""},
		"several permitted addresses": {
			nil, addresses("10.20.0.7", "10.20.0.8"), "10.20.0.0/16", nil, "several addresses of this machine are permitted: 10.20.0.7, 10.20.0.8; choose with --ip"},
		"no permitted address": {
			addresses("10.0.2.15"), addresses("10.0.2.15"), "10.20.0.0/16", nil, "no address of this machine is in the permitted ranges 10.20.0.0/16: it has 10.0.2.15"},
		"no address": {
			nil, nil, "10.20.0.0/16", nil, "it has none"},
		"a loopback address is never one": {
			addresses("127.0.0.1"), nil, "127.0.0.0/8", nil, "no address of this machine"},
	} {
		t.Run(sentence, func(t *testing.T) {
			cidrs, err := ParseCIDRs(splitCIDRs(test.cidrs))
			if err != nil {
				t.Fatal(err)
			}
			got, err := Choose(test.route, test.interfaces, cidrs)
			checkProblem(t, err, test.problem)
			if diff := cmp.Diff(test.want, texts(got)); diff != "" {
				t.Errorf("addresses (-want +got):\n%s", diff)
			}
		})
	}
}

// checkProblem compares an error with a text; an empty text means no error.
func checkProblem(t *testing.T, err error, want string) {
	t.Helper()
	if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
}

func TestGiven(t *testing.T) {
	for sentence, test := range map[string]struct{ given, problem string }{
		"one of each family":            {"10.20.0.7,2001:db8::7", ""},
		"no address":                    {"here", `"here" is no IP address`},
		"an IPv4-mapped address":        {"::ffff:10.20.0.7", "is no IP address"},
		"an address with a zone":        {"fe80::1%eth0", "is no IP address"},
		"two of one family":             {"10.20.0.7,10.20.0.8", "10.20.0.8 is a second address of one family"},
		"one outside of the invitation": {"10.21.0.7", "the invitation does not permit 10.21.0.7, only addresses in 10.20.0.0/16,2001:db8::/64"},
	} {
		t.Run(sentence, func(t *testing.T) {
			cidrs, err := ParseCIDRs([]string{"10.20.0.0/16", "2001:db8::/64"})
			if err != nil {
				t.Fatal(err)
			}
			_, err = Given(strings.Split(test.given, ","), cidrs)
			checkProblem(t, err, test.problem)
		})
	}
}

func TestParseCIDRs(t *testing.T) {
	for sentence, test := range map[string]struct{ text, problem string }{
		"a range":                        {"10.20.0.0/16", ""},
		"a range with spaces around it":  {" 2001:db8::/64 ", ""},
		"an address":                     {"10.20.0.7", `"10.20.0.7" is no address range`},
		"a range with bits behind":       {"10.20.0.7/16", "did you mean 10.20.0.0/16 or 10.20.0.7/32?"},
		"a range of IPv4-mapped ones":    {"::ffff:10.20.0.0/112", "write it as IPv4"},
		"a prefix longer than addresses": {"10.20.0.0/33", "is no address range"},
	} {
		t.Run(sentence, func(t *testing.T) {
			_, err := ParseCIDRs([]string{test.text})
			checkProblem(t, err, test.problem)
		})
	}
}
