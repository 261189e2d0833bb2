package probe

import (
	"errors"
	"net/netip"
	"testing"
)

func TestAddressPolicy(t *testing.T) {
	ranges := func(texts ...string) []netip.Prefix {
		var prefixes []netip.Prefix
		for _, text := range texts {
			prefixes = append(prefixes, netip.MustParsePrefix(text))
		}
		return prefixes
	}
	cluster := func() []netip.Prefix { return ranges("10.96.0.0/12", "fd00:10:96::/108", "192.0.2.6/32") }
	for name, test := range map[string]struct {
		policy  AddressPolicy
		address string
		refused bool
	}{
		"an ordinary IPv4 address is permitted":                 {address: "192.0.2.10"},
		"an ordinary IPv6 address is permitted":                 {address: "2001:db8::10"},
		"a private address is permitted":                        {address: "10.1.2.3"},
		"loopback is refused":                                   {address: "127.0.0.1", refused: true},
		"all of the loopback range is refused":                  {address: "127.9.9.9", refused: true},
		"IPv6 loopback is refused":                              {address: "::1", refused: true},
		"loopback is permitted to tests":                        {policy: AddressPolicy{AllowLoopback: true}, address: "127.0.0.1"},
		"the unspecified address is refused":                    {address: "0.0.0.0", refused: true},
		"the unspecified IPv6 address is refused":               {address: "::", refused: true},
		"an address of this network is refused":                 {address: "0.0.0.1", refused: true},
		"link-local is refused":                                 {address: "169.254.1.1", refused: true},
		"the metadata service is refused":                       {address: "169.254.169.254", refused: true},
		"the IPv6 metadata service is refused":                  {address: "fd00:ec2::254", refused: true},
		"IPv6 link-local is refused":                            {address: "fe80::1", refused: true},
		"multicast is refused":                                  {address: "224.0.0.1", refused: true},
		"IPv6 multicast is refused":                             {address: "ff02::1", refused: true},
		"broadcast is refused":                                  {address: "255.255.255.255", refused: true},
		"an IPv4-mapped address is refused":                     {address: "::ffff:192.0.2.10", refused: true},
		"an address with a zone is refused":                     {address: "2001:db8::1%eth0", refused: true},
		"an address in a denied range is refused":               {policy: AddressPolicy{Deny: ranges("10.0.0.0/8")}, address: "10.1.2.3", refused: true},
		"an address outside denied ranges is permitted":         {policy: AddressPolicy{Deny: ranges("10.0.0.0/8")}, address: "192.0.2.10"},
		"an address in an allowed range is permitted":           {policy: AddressPolicy{Allow: ranges("192.0.2.0/24")}, address: "192.0.2.10"},
		"an address outside allowed ranges is refused":          {policy: AddressPolicy{Allow: ranges("192.0.2.0/24")}, address: "198.51.100.1", refused: true},
		"a denied address is refused although it is allowed":    {policy: AddressPolicy{Allow: ranges("10.0.0.0/8"), Deny: ranges("10.1.0.0/16")}, address: "10.1.2.3", refused: true},
		"an allowed range does not permit link-local":           {policy: AddressPolicy{Allow: ranges("0.0.0.0/0")}, address: "169.254.169.254", refused: true},
		"a metadata address in NAT64's notation is refused":     {address: "64:ff9b::169.254.169.254", refused: true},
		"a denied IPv4 address in 6to4's notation is refused":   {policy: AddressPolicy{Deny: ranges("10.0.0.0/8")}, address: "2002:a01:203::1", refused: true},
		"a Service's address is refused":                        {policy: AddressPolicy{ClusterNetworks: cluster}, address: "10.96.0.10", refused: true},
		"a Service's IPv6 address is refused":                   {policy: AddressPolicy{ClusterNetworks: cluster}, address: "fd00:10:96::a", refused: true},
		"a Service's address in NAT64's notation is refused":    {policy: AddressPolicy{ClusterNetworks: cluster}, address: "64:ff9b::10.96.0.10", refused: true},
		"the API server's address is refused":                   {policy: AddressPolicy{ClusterNetworks: cluster}, address: "192.0.2.6", refused: true},
		"an address beside the cluster's networks is permitted": {policy: AddressPolicy{ClusterNetworks: cluster}, address: "10.112.0.1"},
		"a wide allowed range does not permit Service networks": {policy: AddressPolicy{Allow: ranges("10.0.0.0/8"), ClusterNetworks: cluster}, address: "10.96.0.10", refused: true},
		"an allowed range within a Service network permits it":  {policy: AddressPolicy{Allow: ranges("10.96.7.0/24"), ClusterNetworks: cluster}, address: "10.96.7.1"},
		"it permits nothing else of that network":               {policy: AddressPolicy{Allow: ranges("10.96.7.0/24", "10.0.0.0/8"), ClusterNetworks: cluster}, address: "10.96.8.1", refused: true},
		"a denied address in it is refused":                     {policy: AddressPolicy{Allow: ranges("10.96.7.0/24"), Deny: ranges("10.96.7.1/32"), ClusterNetworks: cluster}, address: "10.96.7.1", refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.policy.Check(netip.MustParseAddr(test.address))
			refused, is := errors.AsType[*RefusedError](err)
			if is != test.refused {
				t.Fatalf("Check(%s) = %v, want refused %t", test.address, err, test.refused)
			}
			if is && (refused.Why == "" || refused.Address != netip.MustParseAddr(test.address)) {
				t.Errorf("the error does not say what is wrong: %+v", refused)
			}
		})
	}
}
