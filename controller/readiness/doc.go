// Package readiness keeps the conditions Ready and Accepted of
// ExternalWorkloads.
//
// Ready has one of three sources: the probe in a workload's annotation, which
// the package performs; the declaration in another annotation; or whoever else
// writes the condition. The probe goes before the declaration, and a workload
// with neither annotation is never touched.
//
// A probed workload has the conditions ReadyIPv4 and ReadyIPv6 beside it, one for
// each family of its addresses. They name the very target that has passed, since
// publishing reads nothing but the object: so a changed address is withdrawn
// without this package, and a restart keeps what is proven and nothing else.
//
// Accepted is False while an annotation cannot be followed, or while an address
// cannot be published; it is taken away when that is repaired.
//
//	informer -> handlers: decode the annotations, plan the probes
//	schedule -> turn: probe each target once, count successes and failures
//	judge: may those whose failures reached their threshold be withdrawn, or is
//	       the prober the suspect?
//	loop -> sync: what the conditions should be, merged into what they are,
//	        written if that differs
//
// What is decided is decided in pure functions and types: probe.Decode,
// hold.Policy, health, decide and merge. Only the Controller reads the clock,
// the network and the API.
//
// The package must not touch EndpointSlices, nor conditions of other types.
package readiness
