package address

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
)

// row is an entry of the plain table. It matches an address of the family whose bits under
// mask equal those of value.
type row struct {
	family      Family
	value, mask [16]byte
}

func (r *row) matches(family Family, bytes []byte) bool {
	if family != r.family {
		return false
	}
	for i, b := range bytes {
		if (b^r.value[i])&r.mask[i] != 0 {
			return false
		}
	}
	return true
}

// rowOf returns the row of a prefix.
func rowOf(prefix netip.Prefix) row {
	made := row{family: FamilyOf(prefix.Addr())}
	copy(made.value[:], prefix.Addr().AsSlice())
	for bit := range prefix.Bits() {
		made.mask[bit/8] |= 0x80 >> (bit % 8)
	}
	return made
}

// embed returns the row of an IPv4 prefix that is embedded in an IPv6 prefix.
func embed(ipv4, ipv6 netip.Prefix, at [4]int, invert byte) row {
	made, inner := rowOf(ipv6), rowOf(ipv4)
	for from, to := range at {
		made.value[to], made.mask[to] = inner.value[from]^invert, inner.mask[from]
	}
	return made
}

// plainTable lists the addresses that must not be probed, as bits.
func plainTable() []row {
	machines := prefixes("127.0.0.0/8", "169.254.0.0/16", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32")
	others := prefixes("0.0.0.0/8", "224.0.0.0/3")
	var table []row
	for _, prefix := range prefixes("::/128", "::1/128", "::ffff:0:0/96", "fe80::/9", "ff00::/8", "fd00:ec2::/32",
		"fd00:c1::a9fe:a9fe/128", "fd00:42::42/128", "fd20:ce::254/128") {
		table = append(table, rowOf(prefix))
	}
	last := [4]int{12, 13, 14, 15}
	for _, ipv4 := range append(machines, others...) {
		table = append(table, rowOf(ipv4))
		for _, text := range []string{"::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48"} {
			table = append(table, embed(ipv4, netip.MustParsePrefix(text), last, 0))
		}
		table = append(table,
			embed(ipv4, netip.MustParsePrefix("2002::/16"), [4]int{2, 3, 4, 5}, 0),
			embed(ipv4, netip.MustParsePrefix("2001::/32"), [4]int{4, 5, 6, 7}, 0),
			embed(ipv4, netip.MustParsePrefix("2001::/32"), last, 0xff))
	}
	for _, ipv4 := range machines {
		for _, at := range [][4]int{{6, 7, 9, 10}, {7, 9, 10, 11}, {9, 10, 11, 12}} {
			table = append(table, embed(ipv4, netip.MustParsePrefix("64:ff9b:1::/48"), at, 0))
		}
	}
	return table
}

// TestAMillionRandomAddressesAgreeWithAPlainTable draws addresses that match a row or
// differ from it by few bits, where mistakes are likely.
func TestAMillionRandomAddressesAgreeWithAPlainTable(t *testing.T) {
	table := plainTable()
	random := rand.New(rand.NewPCG(11, 6))
	var refused, accepted int
	for range 1_000_000 {
		a := near(random, &table[random.IntN(len(table))])
		family, bytes := FamilyOf(a), a.AsSlice()
		want := slices.ContainsFunc(table, func(r row) bool { return r.matches(family, bytes) })
		if got := Unprobeable(a); (got != "") != want {
			t.Fatalf("%s: Unprobeable returns %q; the table refuses it: %t", a, got, want)
		}
		if Unpublishable(a) != "" && !want {
			t.Fatalf("%s may be probed but not published", a)
		}
		if want {
			refused++
		} else {
			accepted++
		}
	}
	if refused < 100_000 || accepted < 100_000 {
		t.Errorf("%d refused and %d accepted: the draw is one-sided", refused, accepted)
	}
}

// near draws an address that matches the row, or in half of the cases all but one bit.
func near(random *rand.Rand, r *row) netip.Addr {
	bytes := make([]byte, 4)
	if r.family == IPv6 {
		bytes = make([]byte, 16)
	}
	for i := range bytes {
		bytes[i] = r.value[i] | byte(random.Uint32())&^r.mask[i]
	}
	if random.IntN(2) == 0 {
		bit := random.IntN(8 * len(bytes))
		bytes[bit/8] ^= 0x80 >> (bit % 8)
	}
	a, _ := netip.AddrFromSlice(bytes)
	return a
}
