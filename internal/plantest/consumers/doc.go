// Package consumers models the programs that read EndpointSlices: Linkerd's destination
// service, kube-proxy and a DNS server such as CoreDNS.
//
// Each model receives every write to the slices of one Service, in order, and returns
// what its clients receive. The models contain only behavior that was observed in these
// programs; each observation is a test of this package. With them, tests check the
// effect of writes and not their form.
//
// The package is test support: shipped code must not import it. Its types are not safe
// for concurrent use.
package consumers

import (
	"net/netip"

	discoveryv1 "k8s.io/api/discovery/v1"
)

// Socket is what a client dials: one address and one port.
type Socket struct {
	Address string
	Port    int32
}

func (s Socket) String() string {
	address, err := netip.ParseAddr(s.Address)
	if err != nil || s.Port < 0 || s.Port > 65535 {
		return s.Address
	}
	return netip.AddrPortFrom(address, uint16(s.Port)).String()
}

// isReady reads the condition as all consumers do: an unset one is ready.
func isReady(endpoint *discoveryv1.Endpoint) bool {
	return endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready
}

// findPort returns the slice's port of that name; an unset name is the empty one.
func findPort(slice *discoveryv1.EndpointSlice, name string) (*discoveryv1.EndpointPort, bool) {
	for i := range slice.Ports {
		port := &slice.Ports[i]
		if (port.Name == nil && name == "") || (port.Name != nil && *port.Name == name) {
			return port, true
		}
	}
	return nil, false
}
