// Package metrics defines and records the Prometheus metrics of this program.
//
// Metrics are registered with a registry that the caller passes, so tests can create
// them repeatedly. The package has the names, labels and help texts; methods record
// what happened. No series has the name of an object of the cluster as a label, so the
// number of series does not grow with the cluster.
//
// The package decides nothing and must not import the controllers. The only state of
// the process that it changes is client-go's, in RegisterClient, because client-go has
// no other way.
package metrics
