package consumers

import (
	"strings"

	discoveryv1 "k8s.io/api/discovery/v1"
)

// DNS models a cluster's DNS server, such as CoreDNS, for one headless Service:
// A and AAAA records of the Service and of each endpoint's host name, and SRV
// records of each named port.
type DNS struct {
	slices sliceSet
}

// NewDNS returns a DNS server without slices.
func NewDNS() *DNS { return &DNS{} }

// Observe records one write. A creation has no previous slice, a
// deletion no current one.
func (d *DNS) Observe(previous, current *discoveryv1.EndpointSlice) {
	d.slices.observe(previous, current)
}

// Addresses calls visit with each A or AAAA record of the Service: the address, and the
// host name below the Service that has the same address. It visits a record once for each
// slice that has it.
func (d *DNS) Addresses(visit func(hostname, address string)) {
	d.records(func(_ *discoveryv1.EndpointSlice, hostname, address string) { visit(hostname, address) })
}

// Services calls visit with each SRV record of the named port: the host name
// below the Service and the socket behind it.
func (d *DNS) Services(port string, visit func(hostname string, socket Socket)) {
	d.records(func(slice *discoveryv1.EndpointSlice, hostname, address string) {
		if p, found := findPort(slice, port); found && p.Port != nil {
			visit(hostname, Socket{address, *p.Port})
		}
	})
}

func (d *DNS) records(visit func(slice *discoveryv1.EndpointSlice, hostname, address string)) {
	for _, slice := range d.slices {
		for i := range slice.Endpoints {
			endpoint := &slice.Endpoints[i]
			if !isReady(endpoint) {
				continue
			}
			for _, address := range endpoint.Addresses {
				visit(slice, Hostname(endpoint.Hostname, address), address)
			}
		}
	}
}

// dashed spells an address as a DNS label.
var dashed = strings.NewReplacer(".", "-", ":", "-")

// Hostname returns the DNS label of an endpoint below its Service: its host name, or
// the address with dashes where it has none.
func Hostname(hostname *string, address string) string {
	if hostname != nil && *hostname != "" {
		return *hostname
	}
	return dashed.Replace(address)
}
