// Package hold decides whether workloads whose probes fail are turned not
// ready, or whether the prober itself is the suspect and their readiness is
// held.
//
// One machine that fails is the machine's trouble. When the machines of most
// namespaces fail together, it is more likely that the prober is cut off:
// withdrawing them all would turn a broken observer into an outage.
//
// A user who may write a workload can make probes fail or succeed, so no tenant
// may decide for another one:
//
//   - Only targets that have answered a probe of this process are evidence, and
//     only by results since the failures in question began. Targets without
//     such a result are probed early: a bounded sample of them.
//   - Every namespace has one vote, whatever its size. A namespace without
//     evidence has none.
//   - A decision waits for evidence for less than two seconds, whatever periods
//     and timeouts tenants have chosen.
//   - All holds together last at most Policy.Maximum, and take six times as
//     long to become available again.
//
// The package is pure: it is given results, candidates and the time, and
// returns a decision.
package hold
