// Package metrics is everything this program tells Prometheus about itself.
//
// A Metrics is built on a registry that the caller gives, so it can be built
// as often as a test likes. It knows the names, labels and help texts; what
// happened is told to it by the methods. No series carries the name of an
// object of the cluster, so that their number does not grow with the cluster.
//
// The package decides nothing and must not import the controllers. The only
// process-wide state it touches is client-go's, in RegisterClient, because
// client-go offers nothing else.
package metrics
