package address

import (
	"errors"
	"net/netip"
	"strings"
)

// Errors of [ParsePrefix].
var (
	errNoPrefix     = errors.New("want address ranges like 10.0.0.0/8 or 2001:db8::/32")
	errMappedPrefix = errors.New("want no IPv4-mapped range, for it would match no address; write it as IPv4, like 10.0.0.0/8")
)

// ParsePrefix reads an address range. Bits beyond the prefix length are
// cleared. An IPv4-mapped range is an error: it looks like a range of IPv4
// addresses and would match none.
func ParsePrefix(text string) (netip.Prefix, error) {
	prefix, err := netip.ParsePrefix(strings.TrimSpace(text))
	if err != nil {
		return netip.Prefix{}, errNoPrefix
	}
	if prefix.Addr().Is4In6() {
		return netip.Prefix{}, errMappedPrefix
	}
	return prefix.Masked(), nil
}

// Contains reports whether one of the ranges contains the address.
func Contains(ranges []netip.Prefix, a netip.Addr) bool {
	for _, prefix := range ranges {
		if prefix.Contains(a) {
			return true
		}
	}
	return false
}

// prefixes is for tables: it panics on a mistake.
func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, 0, len(texts))
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}
