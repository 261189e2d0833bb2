package kubelet

import "github.com/external-workload/controller/controller/readiness/probe"

// Tests reach loopback addresses, and kubelet knows hosts.
var (
	fence   = probe.AddressPolicy{AllowLoopback: true}
	options = probe.Options{Addresses: fence, AllowHost: true}
)

func newProber() *probe.Prober { return probe.NewProber(fence) }
