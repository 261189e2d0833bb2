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

// String gives the family's name in the Kubernetes API, where both the
// ipFamilies of a Service and the addressType of an EndpointSlice have it.
func (f Family) String() string {
	if f == IPv6 {
		return "IPv6"
	}
	return "IPv4"
}

// FamilyOf gives the family of an address. An IPv4-mapped IPv6 address is IPv6.
func FamilyOf(a netip.Addr) Family {
	if a.Is6() {
		return IPv6
	}
	return IPv4
}

// FamilyOfText gives the family of a text that need not be an address: a text
// with a colon is meant as IPv6.
func FamilyOfText(text string) Family {
	if strings.Contains(text, ":") {
		return IPv6
	}
	return IPv4
}
