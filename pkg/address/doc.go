// Package address decides which IP addresses the controller may publish in
// EndpointSlices and which it may probe. One table has the rules for both.
//
// Probing is stricter than publishing. A user who may write an ExternalWorkload chooses
// where the controller connects to, from the controller's place in the network. An
// address is therefore also refused for probing if it belongs to the cloud provider's
// own services, or if an IPv4 address that must not be probed is embedded in it.
//
// The package is pure: it resolves no names and opens no connections.
package address
