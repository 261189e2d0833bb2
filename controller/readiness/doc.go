// Package readiness is the controller that probes ExternalWorkloads and writes their
// conditions Ready, ReadyIPv4, ReadyIPv6, Accepted and Draining.
//
// Ready has one of three sources: the probe in a workload's annotation, the declaration
// in another annotation or in the manifest, or another writer of the condition. A probe
// takes precedence over a declaration. The package does not write Ready of a workload
// with neither.
//
// A probed workload also has the conditions ReadyIPv4 and ReadyIPv6, one for each
// family of its addresses. They contain the exact target at which the probe has passed.
// Publishing reads only the object, so a changed address is withdrawn even if this
// package does not run, and after a restart only addresses that have passed are ready.
//
// Accepted is False while an annotation cannot be followed or an address cannot be
// published. It is removed when the error is fixed.
//
//	informer -> handlers: decode the annotations, schedule the probes
//	schedule -> runProbe: probe each target once, count successes and failures
//	evaluateHold: withdraw the workloads whose failures reached their threshold,
//	              or hold their readiness because the prober may be cut off
//	loop -> sync: compute the desired conditions, merge them into the actual
//	              ones, and write the status if it differs
//
// Decisions are pure functions and types: probe.Decode, hold.Evaluator, health, decide
// and merge. Only the Controller uses the clock, the network and the API.
//
// The package must not write EndpointSlices or conditions of other types.
package readiness
