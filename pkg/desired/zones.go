package desired

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/external-workload/controller/pkg/address"
)

// Zones are the zones of machines that have no zone label, by address range.
type Zones []ZoneRange

// ZoneRange says in which zone the addresses of a range are.
type ZoneRange struct {
	Range netip.Prefix
	Zone  string
}

// errZoneRange is the form that Set reads.
var errZoneRange = errors.New("want RANGE=ZONE, such as 10.1.0.0/16=zone-a")

// Set adds a comma-separated list of ranges and their zones, such as
// "10.1.0.0/16=zone-a,10.2.0.0/16=zone-b". A zone must be a valid label value, as the
// API server requires of hints. With String and Type, Set makes Zones a flag that may
// be repeated.
func (z *Zones) Set(text string) error {
	all := slices.Clone(*z)
	for part := range strings.SplitSeq(text, ",") {
		cidr, zone, found := strings.Cut(part, "=")
		if zone = strings.TrimSpace(zone); !found || zone == "" || len(validation.IsValidLabelValue(zone)) > 0 {
			return errZoneRange
		}
		prefix, err := address.ParsePrefix(cidr)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(all, func(r ZoneRange) bool { return r.Range == prefix && r.Zone != zone }) {
			return fmt.Errorf("want one zone for the range %s", prefix)
		}
		all = append(all, ZoneRange{Range: prefix, Zone: zone})
	}
	*z = all
	return nil
}

// String lists the ranges as Set reads them.
func (z *Zones) String() string {
	var texts []string
	for _, r := range *z {
		texts = append(texts, r.Range.String()+"="+r.Zone)
	}
	return strings.Join(texts, ",")
}

// Type names the kind of flag.
func (z *Zones) Type() string { return "strings" }

// Of returns the zone of the narrowest range that has the address, or empty if there is
// none.
func (z Zones) Of(text string) string {
	if len(z) == 0 {
		return ""
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return ""
	}
	zone, bits := "", -1
	for _, r := range z {
		if r.Range.Contains(a) && r.Range.Bits() > bits {
			zone, bits = r.Zone, r.Range.Bits()
		}
	}
	return zone
}
