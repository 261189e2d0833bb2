package kubelet

import "github.com/external-workload/controller/controller/readiness/probe"

// The tests probe loopback addresses, and kubelet permits hosts.
var (
	addressPolicy = probe.AddressPolicy{AllowLoopback: true}
	options       = probe.Options{Addresses: addressPolicy, AllowHost: true}
)

func newProber() *probe.Prober { return probe.NewProber(addressPolicy) }
