package probe

import (
	"fmt"
	"net/netip"
	"slices"
	"syscall"

	"github.com/external-workload/controller/pkg/address"
)

// AddressPolicy decides which addresses a probe may reach. The zero policy permits
// every address that [address.Unprobeable] does not refuse.
type AddressPolicy struct {
	// Allow, if not empty, permits only the addresses in these ranges.
	Allow []netip.Prefix
	// Deny refuses the addresses in these ranges, also those in Allow.
	Deny []netip.Prefix
	// ClusterNetworks returns the ranges of the cluster's own Services, Pods and API
	// servers, which are refused unless a range in Allow is within one of them. It is
	// called for each check, and must be cheap and safe for concurrent use; nil for
	// none.
	ClusterNetworks func() []netip.Prefix
	// AllowLoopback permits loopback addresses. It is only for tests.
	AllowLoopback bool
}

// RefusedError is returned for an address that a probe must not reach.
type RefusedError struct {
	// Address is the refused address.
	Address netip.Addr
	// Why says why it is refused.
	Why string
}

// Error returns the address and the reason.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("address %s must not be probed: %s", e.Address, e.Why)
}

// Check returns a *RefusedError if the address must not be probed.
func (p AddressPolicy) Check(a netip.Addr) error {
	if why := p.refuse(a); why != "" {
		return &RefusedError{Address: a, Why: why}
	}
	return nil
}

func (p AddressPolicy) refuse(a netip.Addr) string {
	if why := address.Unprobeable(a); why != "" && (!p.AllowLoopback || !a.IsLoopback()) {
		return "it is " + why
	}
	// A gateway may forward packets for this address to the embedded one.
	reached := append(address.Embedded(a), a)
	if slices.ContainsFunc(reached, func(a netip.Addr) bool { return address.Contains(p.Deny, a) }) {
		return "it is in a denied range"
	}
	if slices.ContainsFunc(reached, p.isClusterNetwork) {
		return "it belongs to the cluster's own networks"
	}
	if len(p.Allow) > 0 && !address.Contains(p.Allow, a) {
		return "it is in no allowed range"
	}
	return ""
}

// isClusterNetwork reports whether a range of the cluster contains the address and no
// allowed range within it does. A wider allowed range does not count, because it may be
// the operator's whole private network.
func (p AddressPolicy) isClusterNetwork(a netip.Addr) bool {
	if p.ClusterNetworks == nil {
		return false
	}
	for _, network := range p.ClusterNetworks() {
		allows := func(allowed netip.Prefix) bool {
			return allowed.Contains(a) && allowed.Bits() >= network.Bits()
		}
		if network.Contains(a) && !slices.ContainsFunc(p.Allow, allows) {
			return true
		}
	}
	return false
}

// control has the form of [net.Dialer.Control], which is called with the
// resolved address of each connection before it is opened.
func (p AddressPolicy) control(_, target string, _ syscall.RawConn) error {
	parsed, err := netip.ParseAddrPort(target)
	if err != nil {
		return fmt.Errorf("parse address to dial: %w", err)
	}
	return p.Check(parsed.Addr())
}
