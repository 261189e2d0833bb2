package address

import "net/netip"

// kind is a set of addresses that must not be used, with the reason.
type kind struct {
	// is completes the sentence "the address is ...".
	is string
	// publishable is true if the addresses may be published although they must not be
	// probed. All others are refused for both.
	publishable bool
	prefixes    []netip.Prefix
}

// The kinds that no prefix can express.
const (
	isInvalid = "not an IP address"
	isZoned   = "an address with a zone, which has no meaning on other machines"
	isMapped  = "an IPv4-mapped IPv6 address; write it as IPv4"
)

// kinds is the table of addresses that must not be used. The first entry that
// contains an address applies. The API server refuses unspecified, loopback,
// link-local and link-local multicast addresses in an EndpointSlice.
var kinds = []kind{
	{is: "the unspecified address", prefixes: prefixes("0.0.0.0/32", "::/128")},
	{is: "a loopback address, which no other machine can reach", prefixes: prefixes("127.0.0.0/8", "::1/128")},
	{is: "a link-local address, which other networks cannot reach", prefixes: prefixes("169.254.0.0/16", "fe80::/10")},
	{is: "a multicast address, which names no single machine", prefixes: prefixes("224.0.0.0/4", "ff00::/8")},
	{is: "the broadcast address, which names no single machine", prefixes: prefixes("255.255.255.255/32")},

	// Linux takes addresses of 0.0.0.0/8 for its own (RFC 1122, section 3.2.1.3).
	{is: "an address of the sender's own network", publishable: true, prefixes: []netip.Prefix{ownNetwork}},
	{is: "a reserved address", publishable: true, prefixes: prefixes("240.0.0.0/4")},
	{is: "a site-local address, which is deprecated", publishable: true, prefixes: prefixes("fec0::/10")},
	{is: "an address of the cloud provider's metadata service", publishable: true, prefixes: metadata},
}

// metadata are the addresses outside the link-local ranges at which cloud
// providers serve a machine's credentials and configuration.
var metadata = prefixes(
	"100.100.100.200/32",     // Alibaba Cloud
	"168.63.129.16/32",       // Azure
	"192.0.0.192/32",         // Oracle Cloud Classic
	"fd00:c1::a9fe:a9fe/128", // Oracle Cloud
	"fd00:ec2::/32",          // AWS: instance metadata, EKS Pod Identity, DNS, time
	"fd00:42::42/128",        // Scaleway
	"fd20:ce::254/128",       // Google Cloud
)

// Unpublishable completes the sentence "the address is ..." with the reason
// why no EndpointSlice may contain it. It is empty if one may.
func Unpublishable(a netip.Addr) string {
	if why := malformed(a); why != "" {
		return why
	}
	for i := range kinds {
		if kind := &kinds[i]; !kind.publishable && Contains(kind.prefixes, a) {
			return kind.is
		}
	}
	return ""
}

// Unprobeable completes the sentence "the address is ..." with the reason why
// it must never be probed, whatever the operator permits. It is empty if the
// address may be probed.
func Unprobeable(a netip.Addr) string {
	if why := malformed(a); why != "" {
		return why
	}
	if why := unprobeableKind(a); why != "" {
		return why
	}
	for _, embedded := range Embedded(a) {
		if why := unprobeableKind(embedded); why != "" {
			return "an address that embeds " + embedded.String() + ", " + why
		}
	}
	return ""
}

func unprobeableKind(a netip.Addr) string {
	for i := range kinds {
		if Contains(kinds[i].prefixes, a) {
			return kinds[i].is
		}
	}
	return ""
}

func malformed(a netip.Addr) string {
	switch {
	case !a.IsValid():
		return isInvalid
	case a.Zone() != "":
		return isZoned
	case a.Is4In6():
		return isMapped
	}
	return ""
}
