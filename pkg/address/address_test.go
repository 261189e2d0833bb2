package address

import (
	"net/netip"
	"strings"
	"testing"
)

func TestUse(t *testing.T) {
	const fine = ""
	for text, want := range map[string]struct{ publishing, probing string }{
		"192.0.2.1":                    {fine, fine},
		"10.0.0.1":                     {fine, fine},
		"100.64.0.1":                   {fine, fine},
		"169.253.255.255":              {fine, fine},
		"239.255.255.255":              {"multicast", "multicast"},
		"223.255.255.255":              {fine, fine},
		"2001:db8::1":                  {fine, fine},
		"fd00::1":                      {fine, fine},
		"0.0.0.0":                      {"unspecified", "unspecified"},
		"0.0.0.1":                      {fine, "sender's own network"},
		"0.255.255.255":                {fine, "sender's own network"},
		"127.255.255.254":              {"loopback", "loopback"},
		"169.254.169.254":              {"link-local", "link-local"},
		"240.0.0.1":                    {fine, "reserved"},
		"255.255.255.254":              {fine, "reserved"},
		"255.255.255.255":              {"broadcast", "broadcast"},
		"100.100.100.200":              {fine, "metadata"},
		"168.63.129.16":                {fine, "metadata"},
		"192.0.0.192":                  {fine, "metadata"},
		"::":                           {"unspecified", "unspecified"},
		"::1":                          {"loopback", "loopback"},
		"::ffff:10.0.0.1":              {"IPv4-mapped", "IPv4-mapped"},
		"fe80::1":                      {"link-local", "link-local"},
		"febf::1":                      {"link-local", "link-local"},
		"fe80::1%eth0":                 {"zone", "zone"},
		"fec0::1":                      {fine, "site-local"},
		"feff::1":                      {fine, "site-local"},
		"ff0e::1":                      {"multicast", "multicast"},
		"fd00:ec2::254":                {fine, "metadata"},
		"fd00:ec2::23":                 {fine, "metadata"},
		"fd00:ec3::23":                 {fine, fine},
		"fd20:ce::254":                 {fine, "metadata"},
		"fd00:c1::a9fe:a9fe":           {fine, "metadata"},
		"fd00:42::42":                  {fine, "metadata"},
		"::127.0.0.1":                  {fine, "embeds 127.0.0.1, a loopback"},
		"::10.0.0.1":                   {fine, fine},
		"::ffff:0:169.254.169.254":     {fine, "embeds 169.254.169.254"},
		"64:ff9b::127.0.0.1":           {fine, "embeds 127.0.0.1"},
		"64:ff9b::169.254.169.254":     {fine, "embeds 169.254.169.254"},
		"64:ff9b::192.0.2.33":          {fine, fine},
		"64:ff9b:1::127.0.0.1":         {fine, "embeds 127.0.0.1"},
		"64:ff9b:1::10.1.2.3":          {fine, fine},
		"64:ff9b:1:a9fe:a9:fe00:a00:1": {fine, "embeds 169.254.169.254"},
		"64:ff9b:1:a9:fe:a9fe:a00:1":   {fine, "embeds 169.254.169.254"},
		"64:ff9b:1:2:a9:fea9:fe00:1":   {fine, "embeds 254.0.0.1, a reserved"},
		"64:ff9b:1:2:7f:0:100:1":       {fine, "embeds 127.0.0.1"},
		"64:ff9b:1:fffe::10.1.2.3":     {fine, fine},
		"64:ff9b:2::127.0.0.1":         {fine, fine},
		"2002:7f00:1::1":               {fine, "embeds 127.0.0.1"},
		"2002:c000:201::1":             {fine, fine},
		"2001:0:7f00:1::f5ff:fffe":     {fine, "embeds 127.0.0.1"},
		"2001:0:c000:201::5601:5601":   {fine, "embeds 169.254.169.254"},
		"2001:0:c000:201::3fff:fdfe":   {fine, fine},
	} {
		t.Run(text, func(t *testing.T) {
			a := netip.MustParseAddr(text)
			check(t, "Unpublishable", Unpublishable(a), want.publishing)
			check(t, "Unprobeable", Unprobeable(a), want.probing)
		})
	}
	check(t, "Unpublishable", Unpublishable(netip.Addr{}), "not an IP address")
	check(t, "Unprobeable", Unprobeable(netip.Addr{}), "not an IP address")
}

func check(t *testing.T, name, got, want string) {
	t.Helper()
	if (got == "") != (want == "") || !strings.Contains(got, want) {
		t.Errorf("%s says %q, want %q", name, got, want)
	}
}

func TestFamily(t *testing.T) {
	for text, want := range map[string]Family{"192.0.2.1": IPv4, "2001:db8::1": IPv6, "::ffff:192.0.2.1": IPv6} {
		if got := FamilyOf(netip.MustParseAddr(text)); got != want || FamilyOfText(text) != want {
			t.Errorf("%s: %v and %v, want %v", text, got, FamilyOfText(text), want)
		}
	}
	if got := IPv4.String() + IPv6.String(); got != "IPv4IPv6" {
		t.Errorf("the names are %q", got)
	}
}

func TestParsePrefix(t *testing.T) {
	for text, want := range map[string]string{
		"10.0.0.0/8":             "10.0.0.0/8",
		" 10.1.2.3/8 ":           "10.0.0.0/8",
		"2001:DB8::/32":          "2001:db8::/32",
		"10.0.0.0":               "error: want address ranges",
		"":                       "error: want address ranges",
		"::ffff:10.0.0.0/104":    "error: want no IPv4-mapped range",
		"::ffff:0:0/96":          "error: want no IPv4-mapped range",
		"::ffff:169.254.0.0/112": "error: want no IPv4-mapped range",
		"fe80::%eth0/10":         "error: want address ranges",
	} {
		t.Run(text, func(t *testing.T) {
			prefix, err := ParsePrefix(text)
			got := prefix.String()
			if err != nil {
				got = "error: " + err.Error()
			}
			if !strings.HasPrefix(got, want) {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}
