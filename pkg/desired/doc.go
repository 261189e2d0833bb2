// Package desired computes the desired endpoints of a Service from the Service and the
// workloads that it selects, and lists the skipped workloads with the reasons. It is
// pure and deterministic: no client, clock, logger or metric. It never changes its
// inputs, which may be objects of a shared cache.
//
// A Workload has the properties of an ExternalWorkload that affect publishing. It is
// computed once when the object changes; Compute then combines many Workloads into a
// State without parsing or allocating anything for each.
//
// Package plan distributes the endpoints over EndpointSlices and orders the writes.
package desired
