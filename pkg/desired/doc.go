// Package desired computes, from a Service and the workloads that it selects,
// which endpoints have to be published, and which workloads are left out and
// why. It is pure: it takes values and gives values, in a deterministic order,
// and knows no client, clock, logger or metric. It never changes its inputs,
// which may be objects of a shared cache.
//
// A Workload is what counts of an ExternalWorkload, worked out once when the
// object changes. Compute then puts a State together from many of them without
// parsing or allocating anything for each.
//
// How endpoints are spread over EndpointSlices, and in which steps they get
// there, is the subject of package plan.
package desired
