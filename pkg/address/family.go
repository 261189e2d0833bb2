package address

import (
	"net/netip"
	"strings"
)

// Family is an address family. It can index an array of length [Families].
type Family int

// The address families.
const (
	IPv4 Family = iota
	IPv6
	// Families is the number of address families.
	Families = iota
)

// String returns the family's name in the Kubernetes API, where both the
// ipFamilies of a Service and the addressType of an EndpointSlice have it.
func (f Family) String() string {
	if f == IPv6 {
		return "IPv6"
	}
	return "IPv4"
}

// FamilyOf returns the family of an address. An IPv4-mapped IPv6 address is IPv6.
func FamilyOf(a netip.Addr) Family {
	if a.Is6() {
		return IPv6
	}
	return IPv4
}

// FamilyOfText returns the family of a text that may not be a valid address: a text
// with a colon counts as IPv6.
func FamilyOfText(text string) Family {
	if strings.Contains(text, ":") {
		return IPv6
	}
	return IPv4
}
