// Package hold decides whether workloads whose probes fail become not ready, or whether
// their readiness is held because the prober itself may be cut off.
//
// If one machine fails, the machine is down. If the machines of most namespaces fail
// together, the prober is more likely to have lost its connection; withdrawing all of
// them would turn that into an outage.
//
// A user who may write a workload can make probes fail or succeed. No tenant may
// therefore decide for another one:
//
//   - Only targets that have answered a probe of this process are evidence, and only by
//     results since the failures in question began. Targets without such a result are
//     probed early, in samples of limited size.
//   - Every namespace has one vote, whatever its size. A namespace without evidence has
//     none.
//   - A decision waits less than two seconds for evidence, whatever periods and
//     timeouts tenants have set.
//   - All holds together last at most Policy.Maximum; used time becomes available again
//     in six times as long.
//
// The package is pure: results, candidates and the time are its input, and a decision
// is its output.
package hold
