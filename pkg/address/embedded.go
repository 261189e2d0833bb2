package address

import "net/netip"

// embedding is a range of IPv6 addresses that a gateway or a tunnel may
// translate to an IPv4 address, and where in the 16 bytes that address is.
type embedding struct {
	prefix netip.Prefix
	bytes  [4]int
	// inverted is true if the bits are stored inverted.
	inverted bool
	// uncommon is true for a layout that is used less often than another layout of the
	// same range. Addresses of the other layout have arbitrary bits in this place.
	uncommon bool
}

var embeddings = []embedding{
	// IPv4-compatible addresses, deprecated by RFC 4291, and IPv4-translated ones (RFC 2765).
	{prefix: netip.MustParsePrefix("::/96"), bytes: [4]int{12, 13, 14, 15}},
	{prefix: netip.MustParsePrefix("::ffff:0:0:0/96"), bytes: [4]int{12, 13, 14, 15}},
	// NAT64's well-known prefix (RFC 6052), and its local-use prefix (RFC 8215),
	// which may hold translation prefixes of any length: RFC 6052, section 2.2.
	{prefix: netip.MustParsePrefix("64:ff9b::/96"), bytes: [4]int{12, 13, 14, 15}},
	{prefix: netip.MustParsePrefix("64:ff9b:1::/48"), bytes: [4]int{12, 13, 14, 15}},
	{prefix: netip.MustParsePrefix("64:ff9b:1::/48"), bytes: [4]int{6, 7, 9, 10}, uncommon: true},
	{prefix: netip.MustParsePrefix("64:ff9b:1::/48"), bytes: [4]int{7, 9, 10, 11}, uncommon: true},
	{prefix: netip.MustParsePrefix("64:ff9b:1::/48"), bytes: [4]int{9, 10, 11, 12}, uncommon: true},
	// 6to4 (RFC 3056).
	{prefix: netip.MustParsePrefix("2002::/16"), bytes: [4]int{2, 3, 4, 5}},
	// Teredo (RFC 4380): the server, and the client behind its NAT.
	{prefix: netip.MustParsePrefix("2001::/32"), bytes: [4]int{4, 5, 6, 7}},
	{prefix: netip.MustParsePrefix("2001::/32"), bytes: [4]int{12, 13, 14, 15}, inverted: true},
}

// ownNetwork is the range that means "this network" (RFC 1122).
var ownNetwork = netip.MustParsePrefix("0.0.0.0/8")

// unlikely are ranges in which no machine is: if an uncommon layout yields such an
// address, the address does not use that layout.
var unlikely = []netip.Prefix{ownNetwork, netip.MustParsePrefix("224.0.0.0/3")}

// Embedded returns the IPv4 addresses that are part of an IPv6 address and that a
// gateway or a tunnel may send its packets to. An IPv4-mapped address is not
// among them; it is an IPv4 address in another notation.
func Embedded(a netip.Addr) []netip.Addr {
	if !a.Is6() || a.Is4In6() {
		return nil
	}
	var found []netip.Addr
	a = a.WithZone("")
	all := a.As16()
	for i := range embeddings {
		e := &embeddings[i]
		if !e.prefix.Contains(a) {
			continue
		}
		var bytes [4]byte
		for to, from := range e.bytes {
			bytes[to] = all[from]
			if e.inverted {
				bytes[to] = ^bytes[to]
			}
		}
		embedded := netip.AddrFrom4(bytes)
		if !e.uncommon || !Contains(unlikely, embedded) {
			found = append(found, embedded)
		}
	}
	return found
}
