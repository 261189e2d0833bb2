// Package address decides which IP addresses the controller may use: which it
// publishes in EndpointSlices, and which it probes. Both follow one table, so
// that an address that names no reachable machine means the same everywhere.
//
// Probing is stricter than publishing. A user who may write an ExternalWorkload
// chooses where the controller connects to, from the controller's own place in
// the network; so an address is also refused for probing if it belongs to the
// cloud's own services, or if an IPv4 address that must not be probed is
// embedded in it.
//
// The package is pure: it resolves no names and opens no connections.
package address
