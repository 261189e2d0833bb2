package probe

import (
	"fmt"
	"net/netip"
	"syscall"
)

// Fence says which addresses a probe may reach. The zero Fence permits every
// address that a workload may have.
type Fence struct {
	// Allow, if not empty, permits only the addresses in these ranges.
	Allow []netip.Prefix
	// Deny refuses the addresses in these ranges, also those in Allow.
	Deny []netip.Prefix
	// AllowLoopback permits loopback addresses. It is for tests alone.
	AllowLoopback bool
}

// RefusedError says that a probe must not reach an address.
type RefusedError struct {
	// Address is the refused address.
	Address netip.Addr
	// Why says what is wrong with it.
	Why string
}

// Error names the address and what is wrong with it.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("address %s must not be probed: %s", e.Address, e.Why)
}

// broadcast is the address of everybody on the local network.
var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// thisNetwork is the range that stands for the sender's own network. Linux
// connects to the local host for the first of its addresses.
var thisNetwork = netip.PrefixFrom(netip.AddrFrom4([4]byte{}), 8)

// metadata are the addresses outside the link-local ranges at which cloud
// providers serve credentials of the machine that asks.
var metadata = []netip.Addr{
	netip.MustParseAddr("fd00:ec2::254"),
	netip.MustParseAddr("100.100.100.200"),
	netip.MustParseAddr("168.63.129.16"),
}

// Check returns a *RefusedError if address must not be probed.
func (f Fence) Check(address netip.Addr) error {
	if why := f.refuse(address); why != "" {
		return &RefusedError{Address: address, Why: why}
	}
	return nil
}

func (f Fence) refuse(address netip.Addr) string {
	if why := f.refuseKind(address); why != "" {
		return why
	}
	if contains(f.Deny, address) {
		return "it is in a denied range"
	}
	if len(f.Allow) > 0 && !contains(f.Allow, address) {
		return "it is in no allowed range"
	}
	return ""
}

// refuseKind refuses what no workload may have as its address.
func (f Fence) refuseKind(address netip.Addr) string {
	switch {
	case !address.IsValid():
		return "it is no IP address"
	case address.Is4In6():
		return "it is an IPv4-mapped IPv6 address"
	case address.Zone() != "":
		return "it has a zone"
	case address.IsUnspecified() || thisNetwork.Contains(address):
		return "it is unspecified"
	case address.IsLoopback():
		if f.AllowLoopback {
			return ""
		}
		return "it is a loopback address"
	case address.IsLinkLocalUnicast():
		return "it is a link-local address"
	case address.IsMulticast():
		return "it is a multicast address"
	case address == broadcast:
		return "it is the broadcast address"
	}
	for _, refused := range metadata {
		if address == refused {
			return "a cloud provider serves machine credentials there"
		}
	}
	return ""
}

// control has the form of [net.Dialer.Control], which is called with the
// resolved address of each connection before it is opened.
func (f Fence) control(_, address string, _ syscall.RawConn) error {
	target, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("parse address to dial: %w", err)
	}
	return f.Check(target.Addr())
}

func contains(ranges []netip.Prefix, address netip.Addr) bool {
	for _, prefix := range ranges {
		if prefix.Contains(address) {
			return true
		}
	}
	return false
}
