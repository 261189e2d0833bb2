package desired

import (
	"fmt"
	"net/netip"
	"strings"

	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// families is how many address families there are; ipv4 and ipv6 index arrays
// that hold one value for each.
const (
	ipv4 = iota
	ipv6
	families
)

// address is what a workload gives for one address family.
type address struct {
	// text is the canonical form of the first good address, or empty.
	text string
	// problem says, if there is no good address, what is wrong with the first bad one.
	problem string
}

// addressesOf takes the first good address of each family.
func addressesOf(ips []v1beta1.WorkloadIP) [families]address {
	var addresses [families]address
	for _, given := range ips {
		text, family, problem := parseAddress(given.IP)
		a := &addresses[family]
		switch {
		case a.text != "":
		case problem == "":
			*a = address{text: text}
		case a.problem == "":
			a.problem = problem
		}
	}
	return addresses
}

// parseAddress gives the canonical form of an address, or what keeps the API
// server from accepting it in an EndpointSlice or a client from reaching it.
// The family of a text that is no address is guessed by its colons.
func parseAddress(given string) (text string, family int, problem string) {
	parsed, err := netip.ParseAddr(given)
	if err != nil {
		if strings.Contains(given, ":") {
			return "", ipv6, fmt.Sprintf("%q is not an IP address", given)
		}
		return "", ipv4, fmt.Sprintf("%q is not an IP address", given)
	}
	family = ipv4
	if parsed.Is6() {
		family = ipv6
	}
	if problem := unusable(parsed); problem != "" {
		return "", family, fmt.Sprintf("%s is %s", given, problem)
	}
	canonical := parsed.String()
	if canonical == given {
		return given, family, ""
	}
	return canonical, family, ""
}

// broadcast is the limited broadcast address, which is no unicast address.
var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// unusable says in words why no endpoint may have this address. The API server
// refuses an EndpointSlice with a zone, or an IPv4-mapped, unspecified,
// loopback, link-local or link-local multicast address; the other multicast
// addresses and the broadcast address name no single machine.
func unusable(a netip.Addr) string {
	switch {
	case a.Zone() != "":
		return "an address with a zone, which has no meaning on other machines"
	case a.Is4In6():
		return "an IPv4-mapped IPv6 address; write it as IPv4"
	case a.IsUnspecified():
		return "the unspecified address"
	case a.IsLoopback():
		return "a loopback address, which no other machine can reach"
	case a.IsLinkLocalUnicast():
		return "a link-local address, which other networks cannot reach"
	case a.IsMulticast():
		return "a multicast address, which names no single machine"
	case a == broadcast:
		return "the broadcast address, which names no single machine"
	}
	return ""
}

// indexOf is the array index of an address type.
func indexOf(t discoveryv1.AddressType) int {
	if t == discoveryv1.AddressTypeIPv6 {
		return ipv6
	}
	return ipv4
}
