package invitation

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// ParseCIDRs reads address ranges and brings them into canonical form.
func ParseCIDRs(texts []string) ([]netip.Prefix, error) {
	var cidrs []netip.Prefix
	for _, text := range texts {
		prefix, err := netip.ParsePrefix(strings.TrimSpace(text))
		switch {
		case err != nil:
			return nil, fmt.Errorf("%q is no address range; write it like 10.20.0.0/16 or 2001:db8::/64", text)
		case prefix.Addr().Is4In6():
			return nil, fmt.Errorf("%q is a range of IPv4-mapped addresses; write it as IPv4", text)
		case prefix.Masked() != prefix:
			return nil, fmt.Errorf("%q has bits behind the prefix; did you mean %s or %s/%d?", text, prefix.Masked(), prefix.Addr(), prefix.Addr().BitLen())
		}
		cidrs = append(cidrs, prefix)
	}
	return cidrs, nil
}

// CIDRsOf are the ranges in which a machine may set its addresses. Those that
// cannot be read permit nothing.
func CIDRsOf(w *v1beta1.ExternalWorkload) []netip.Prefix {
	var cidrs []netip.Prefix
	for _, text := range splitCIDRs(w.Annotations[v1beta1.InvitedCIDRsAnnotation]) {
		if prefix, err := netip.ParsePrefix(text); err == nil {
			cidrs = append(cidrs, prefix)
		}
	}
	return cidrs
}

func splitCIDRs(annotation string) []string {
	if annotation == "" {
		return nil
	}
	return strings.Split(annotation, ",")
}

func formatCIDRs(cidrs []netip.Prefix) string {
	texts := make([]string, len(cidrs))
	for i, prefix := range cidrs {
		texts[i] = prefix.String()
	}
	return strings.Join(texts, ",")
}

func contains(cidrs []netip.Prefix, address netip.Addr) bool {
	return slices.ContainsFunc(cidrs, func(p netip.Prefix) bool { return p.Contains(address) })
}

// Given are addresses that somebody has chosen: at most one of a family, and each
// within the permitted ranges.
func Given(texts []string, cidrs []netip.Prefix) ([]netip.Addr, error) {
	var chosen []netip.Addr
	for _, text := range texts {
		address, err := netip.ParseAddr(text)
		if err != nil || address.Zone() != "" || address.Is4In6() {
			return nil, fmt.Errorf("%q is no IP address; write it like 192.0.2.10 or 2001:db8::10", text)
		}
		if slices.ContainsFunc(chosen, func(a netip.Addr) bool { return a.Is4() == address.Is4() }) {
			return nil, fmt.Errorf("%s is a second address of one family; give at most one IPv4 and one IPv6 address", address)
		}
		if cidrs != nil && !contains(cidrs, address) {
			return nil, fmt.Errorf("the invitation does not permit %s, only addresses in %s", address, formatCIDRs(cidrs))
		}
		chosen = append(chosen, address)
	}
	return chosen, nil
}

// Choose takes from a machine's addresses at most one of each family: that of the
// route to the API server if it is permitted, else the only permitted one of its
// interfaces. It fails if there is none.
func Choose(route, interfaces []netip.Addr, cidrs []netip.Prefix) ([]netip.Addr, error) {
	var chosen []netip.Addr
	var ambiguous []netip.Addr
	for _, is4 := range []bool{true, false} {
		candidates := permitted(route, cidrs, is4)
		if len(candidates) == 0 {
			candidates = permitted(interfaces, cidrs, is4)
		}
		switch len(candidates) {
		case 0:
		case 1:
			chosen = append(chosen, candidates[0])
		default:
			ambiguous = append(ambiguous, candidates...)
		}
	}
	switch {
	case len(chosen) > 0:
		return chosen, nil
	case len(ambiguous) > 0:
		return nil, fmt.Errorf("several addresses of this machine are permitted: %s; choose with --ip", join(ambiguous))
	}
	return nil, fmt.Errorf("no address of this machine is in the permitted ranges %s: it has %s; correct the ranges of the invitation, or give another address with --ip",
		formatCIDRs(cidrs), join(slices.Concat(route, interfaces)))
}

// permitted are the addresses of one family in the ranges, each once.
func permitted(addresses []netip.Addr, cidrs []netip.Prefix, is4 bool) []netip.Addr {
	var found []netip.Addr
	for _, address := range addresses {
		address = address.WithZone("").Unmap()
		if address.Is4() == is4 && address.IsGlobalUnicast() && contains(cidrs, address) && !slices.Contains(found, address) {
			found = append(found, address)
		}
	}
	return found
}

func join(addresses []netip.Addr) string {
	var texts []string
	for _, address := range addresses {
		if text := address.String(); !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	if len(texts) == 0 {
		return "none"
	}
	return strings.Join(texts, ", ")
}
