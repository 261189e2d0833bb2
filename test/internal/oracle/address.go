package oracle

import (
	"net/netip"

	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// publishable returns the family and the canonical form of an address, or false if the API
// server would refuse it in a slice or no other machine can reach it.
func publishable(text string) (discoveryv1.AddressType, string, bool) {
	ip, err := netip.ParseAddr(text)
	if err != nil {
		return "", "", false
	}
	if ip.Zone() != "" || ip.Is4In6() {
		return "", "", false
	}
	if ip.IsUnspecified() || ip.IsLoopback() || ip.IsMulticast() || ip.IsLinkLocalUnicast() {
		return "", "", false
	}
	if text == "255.255.255.255" {
		return "", "", false
	}
	if ip.Is4() {
		return discoveryv1.AddressTypeIPv4, ip.String(), true
	}
	return discoveryv1.AddressTypeIPv6, ip.String(), true
}

// addressIn returns the workload's first valid address of the family, or the reason why there
// is none.
func addressIn(workload *v1beta1.ExternalWorkload, family discoveryv1.AddressType) (string, Reason) {
	bad := false
	for _, entry := range workload.Spec.WorkloadIPs {
		found, address, ok := publishable(entry.IP)
		if !ok {
			bad = true
			continue
		}
		if found == family {
			return address, ""
		}
	}
	if bad {
		return "", BadAddress
	}
	return "", NoAddress
}
