package consumers

import (
	"fmt"
	"slices"
	"strings"

	discoveryv1 "k8s.io/api/discovery/v1"
)

// Identity is the TLS identity that a meshed client expects of the machine that it dials.
type Identity struct {
	Name       string
	ServerName string
}

// WorkloadLookup finds an ExternalWorkload in the destination service's own cache at this
// moment, and reports whether it exists.
type WorkloadLookup func(namespace, name string) (Identity, bool)

// Destination models Linkerd's destination service for one Service.
//
// For each port it keeps a map from a workload's name to an address. It sends clients
// added and removed names. It stores a changed value of a known name but does not send
// it, unless the hints changed in the same write. An entry belongs to no slice: the last
// slice that wrote it wins, and any slice that had it can remove it.
type Destination struct {
	lookup     WorkloadLookup
	publishers []*publisher
	crashed    bool
}

// NewDestination returns a destination service for these ports of one Service. The empty
// name is the unnamed port.
func NewDestination(lookup WorkloadLookup, ports ...string) *Destination {
	d := &Destination{lookup: lookup}
	for _, port := range ports {
		d.publishers = append(d.publishers, &publisher{port: port})
	}
	return d
}

// Observe records one write. A creation has no previous slice, a deletion no current one.
// It looks up identities now.
func (d *Destination) Observe(previous, current *discoveryv1.EndpointSlice) {
	for _, p := range d.publishers {
		if current != nil && hasPortWithoutNumber(current, p.port) {
			d.crashed = true
			continue
		}
		withdrawn := p.withdrawn(d.lookup, previous, current)
		published := p.published(d.lookup, current)
		if len(withdrawn) == 0 && len(published) == 0 {
			continue
		}
		p.replace(withdrawn, published)
	}
}

// Crashed reports whether a port without a number was read, which ends the
// real service.
func (d *Destination) Crashed() bool { return d.crashed }

// Subscribe opens a subscription to the named port for a client in the zone, or without a
// zone if it is empty, and sends the client all existing endpoints at once.
func (d *Destination) Subscribe(port, zone string) *Client {
	for _, p := range d.publishers {
		if p.port == port {
			client := &Client{zone: zone, has: map[Socket]Identity{}}
			client.publish(p.entries)
			p.clients = append(p.clients, client)
			return client
		}
	}
	panic(fmt.Sprintf("the model does not serve port %q", port))
}

// Fresh calls visit with everything that a new client without a zone would receive for the
// named port now. It may visit a socket twice.
func (d *Destination) Fresh(port string, visit func(Socket, Identity)) {
	for _, p := range d.publishers {
		if p.port != port {
			continue
		}
		for i := range p.entries {
			visit(p.entries[i].socket, p.entries[i].identity)
		}
	}
}

func hasPortWithoutNumber(slice *discoveryv1.EndpointSlice, name string) bool {
	port, found := findPort(slice, name)
	return found && port.Port == nil
}

// workloadKey is the name under which an address is kept.
type workloadKey struct {
	namespace string
	name      string
}

func (k workloadKey) compare(other workloadKey) int {
	if c := strings.Compare(k.name, other.name); c != 0 {
		return c
	}
	return strings.Compare(k.namespace, other.namespace)
}

// entry is the address that is kept under a workload's name.
type entry struct {
	workload workloadKey
	socket   Socket
	identity Identity
	zones    string // of the hints, joined; empty without hints
}

// publisher holds the entries of one port, ordered by workload. It replaces the list and
// never changes it: clients keep the list that they received.
type publisher struct {
	port    string
	entries []entry
	clients []*Client
}

// withdrawn returns the names that a write removes before it adds any. An update removes
// by the names in the previous slice. A deletion removes by address and needs the
// workload for that: if the workload is gone, the entry stays for ever.
func (p *publisher) withdrawn(lookup WorkloadLookup, previous, current *discoveryv1.EndpointSlice) []workloadKey {
	if previous == nil {
		return nil
	}
	if current == nil {
		var keys []workloadKey
		for _, e := range p.published(lookup, previous) {
			keys = append(keys, e.workload)
		}
		return keys
	}
	port, found := findPort(previous, p.port)
	if !found || port.Port == nil {
		return nil
	}
	keys := make([]workloadKey, 0, len(previous.Endpoints))
	for i := range previous.Endpoints {
		endpoint := &previous.Endpoints[i]
		switch {
		case !isReady(endpoint):
		case endpoint.TargetRef == nil:
			for _, address := range endpoint.Addresses {
				keys = append(keys, anonymousKey(previous, address, *port.Port))
			}
		case endpoint.TargetRef.Kind == "ExternalWorkload":
			keys = append(keys, workloadKey{endpoint.TargetRef.Namespace, endpoint.TargetRef.Name})
		}
	}
	return keys
}

// published returns the entries of the slice, ordered by workload, the last one of each
// workload. It skips workloads that the cache does not have.
func (p *publisher) published(lookup WorkloadLookup, slice *discoveryv1.EndpointSlice) []entry {
	if slice == nil {
		return nil
	}
	port, found := findPort(slice, p.port)
	if !found || port.Port == nil {
		return nil
	}
	entries := make([]entry, 0, len(slice.Endpoints))
	for i := range slice.Endpoints {
		endpoint := &slice.Endpoints[i]
		if !isReady(endpoint) {
			continue
		}
		for _, address := range endpoint.Addresses {
			e := entry{socket: Socket{address, *port.Port}, zones: zonesOf(endpoint)}
			if !e.identify(lookup, slice, endpoint) {
				continue
			}
			entries = append(entries, e)
		}
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return a.workload.compare(b.workload) })
	return lastOfEach(entries)
}

// identify sets the identity of an address, and reports whether it is served.
func (e *entry) identify(lookup WorkloadLookup, slice *discoveryv1.EndpointSlice, endpoint *discoveryv1.Endpoint) bool {
	target := endpoint.TargetRef
	if target == nil {
		e.workload = anonymousKey(slice, e.socket.Address, e.socket.Port)
		return true
	}
	if target.Kind != "ExternalWorkload" {
		return false
	}
	e.workload = workloadKey{slice.Namespace, target.Name}
	var found bool
	e.identity, found = lookup(slice.Namespace, target.Name)
	return found
}

// anonymousKey returns the name of an endpoint that refers to no object.
func anonymousKey(slice *discoveryv1.EndpointSlice, address string, port int32) workloadKey {
	return workloadKey{slice.Namespace, fmt.Sprintf("%s-%s-%d", slice.Labels[discoveryv1.LabelServiceName], address, port)}
}

func zonesOf(endpoint *discoveryv1.Endpoint) string {
	if endpoint.Hints == nil {
		return ""
	}
	if len(endpoint.Hints.ForZones) == 1 {
		return endpoint.Hints.ForZones[0].Name
	}
	var zones []string
	for _, zone := range endpoint.Hints.ForZones {
		zones = append(zones, zone.Name)
	}
	return strings.Join(zones, ",")
}

// lastOfEach keeps the last entry of each run with the same workload.
func lastOfEach(entries []entry) []entry {
	kept := entries[:0]
	for i := range entries {
		if i+1 == len(entries) || entries[i].workload != entries[i+1].workload {
			kept = append(kept, entries[i])
		}
	}
	return kept
}

// replace removes the withdrawn names, adds the published entries, and sends the
// difference to the clients.
func (p *publisher) replace(withdrawn []workloadKey, published []entry) {
	next := make([]entry, 0, len(p.entries)+len(published))
	for _, e := range p.entries {
		if slices.Contains(withdrawn, e.workload) {
			continue
		}
		if _, found := findEntry(published, e.workload); !found {
			next = append(next, e)
		}
	}
	next = append(next, published...)
	slices.SortFunc(next, func(a, b entry) int { return a.workload.compare(b.workload) })
	p.entries = next
	for _, client := range p.clients {
		client.publish(next)
	}
}

func findEntry(entries []entry, workload workloadKey) (int, bool) {
	return slices.BinarySearchFunc(entries, workload, func(e entry, key workloadKey) int { return e.workload.compare(key) })
}

// ServiceDeleted records that the Service was deleted: the destination service forgets
// all endpoints, whatever slices exist.
func (d *Destination) ServiceDeleted() {
	for _, p := range d.publishers {
		p.entries = nil
		for _, client := range p.clients {
			client.publish(nil)
		}
	}
}
