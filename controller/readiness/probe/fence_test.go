package probe

import (
	"errors"
	"net/netip"
	"testing"
)

func TestFence(t *testing.T) {
	ranges := func(texts ...string) []netip.Prefix {
		var prefixes []netip.Prefix
		for _, text := range texts {
			prefixes = append(prefixes, netip.MustParsePrefix(text))
		}
		return prefixes
	}
	for name, test := range map[string]struct {
		fence   Fence
		address string
		refused bool
	}{
		"an ordinary IPv4 address is permitted":                {address: "192.0.2.10"},
		"an ordinary IPv6 address is permitted":                {address: "2001:db8::10"},
		"a private address is permitted":                       {address: "10.1.2.3"},
		"loopback is refused":                                  {address: "127.0.0.1", refused: true},
		"all of the loopback range is refused":                 {address: "127.9.9.9", refused: true},
		"IPv6 loopback is refused":                             {address: "::1", refused: true},
		"loopback is permitted to tests":                       {fence: Fence{AllowLoopback: true}, address: "127.0.0.1"},
		"the unspecified address is refused":                   {address: "0.0.0.0", refused: true},
		"the unspecified IPv6 address is refused":              {address: "::", refused: true},
		"an address of this network is refused":                {address: "0.0.0.1", refused: true},
		"link-local is refused":                                {address: "169.254.1.1", refused: true},
		"the metadata service is refused":                      {address: "169.254.169.254", refused: true},
		"the IPv6 metadata service is refused":                 {address: "fd00:ec2::254", refused: true},
		"IPv6 link-local is refused":                           {address: "fe80::1", refused: true},
		"multicast is refused":                                 {address: "224.0.0.1", refused: true},
		"IPv6 multicast is refused":                            {address: "ff02::1", refused: true},
		"broadcast is refused":                                 {address: "255.255.255.255", refused: true},
		"an IPv4-mapped address is refused":                    {address: "::ffff:192.0.2.10", refused: true},
		"an address with a zone is refused":                    {address: "2001:db8::1%eth0", refused: true},
		"an address in a denied range is refused":              {fence: Fence{Deny: ranges("10.0.0.0/8")}, address: "10.1.2.3", refused: true},
		"an address outside denied ranges is permitted":        {fence: Fence{Deny: ranges("10.0.0.0/8")}, address: "192.0.2.10"},
		"an address in an allowed range is permitted":          {fence: Fence{Allow: ranges("192.0.2.0/24")}, address: "192.0.2.10"},
		"an address outside allowed ranges is refused":         {fence: Fence{Allow: ranges("192.0.2.0/24")}, address: "198.51.100.1", refused: true},
		"what is denied is refused although it is allowed":     {fence: Fence{Allow: ranges("10.0.0.0/8"), Deny: ranges("10.1.0.0/16")}, address: "10.1.2.3", refused: true},
		"an allowed range does not open what is never allowed": {fence: Fence{Allow: ranges("0.0.0.0/0")}, address: "169.254.169.254", refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.fence.Check(netip.MustParseAddr(test.address))
			refused, is := errors.AsType[*RefusedError](err)
			if is != test.refused {
				t.Fatalf("Check(%s) = %v, want refused %t", test.address, err, test.refused)
			}
			if is && (refused.Why == "" || refused.Address.String() != test.address) {
				t.Errorf("the error does not say what is wrong: %+v", refused)
			}
		})
	}
}
