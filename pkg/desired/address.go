package desired

import (
	"fmt"
	"net/netip"

	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/external-workload/controller/pkg/address"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// families is the number of address families; ipv4 and ipv6 index arrays with one value
// for each.
const (
	ipv4     = int(address.IPv4)
	ipv6     = int(address.IPv6)
	families = address.Families
)

// familyAddress is a workload's address of one family.
type familyAddress struct {
	// text is the canonical form of the first valid address, or empty.
	text string
	// problem describes the first invalid address if there is no valid one.
	problem string
}

// addressesOf returns the first valid address of each family.
func addressesOf(ips []v1beta1.WorkloadIP) [families]familyAddress {
	var addresses [families]familyAddress
	for _, given := range ips {
		text, family, problem := parseAddress(given.IP)
		a := &addresses[family]
		switch {
		case a.text != "":
		case problem == "":
			*a = familyAddress{text: text}
		case a.problem == "":
			a.problem = problem
		}
	}
	return addresses
}

// parseAddress returns the canonical form of an address, or the reason why it cannot be
// published.
func parseAddress(given string) (text string, family int, problem string) {
	parsed, err := netip.ParseAddr(given)
	if err != nil {
		return "", int(address.FamilyOfText(given)), fmt.Sprintf("%q is not an IP address", given)
	}
	family = int(address.FamilyOf(parsed))
	if problem := address.Unpublishable(parsed); problem != "" {
		return "", family, fmt.Sprintf("%s is %s", given, problem)
	}
	canonical := parsed.String()
	if canonical == given {
		return given, family, ""
	}
	return canonical, family, ""
}

// indexOf returns the array index of an address type.
func indexOf(t discoveryv1.AddressType) int {
	if t == discoveryv1.AddressTypeIPv6 {
		return ipv6
	}
	return ipv4
}
