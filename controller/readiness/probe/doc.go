// Package probe asks one machine once whether it is ready, by the rules of
// Kubernetes' readiness probes: it decodes the probe that a workload carries as
// an annotation, and performs it over TCP, HTTP or gRPC.
//
// A probe's author is not trusted. Decoding is strict, every probe is bounded
// in time and in the bytes that it reads, and the fence refuses addresses that
// must not be reached. The fence stands at the dialer and sees the address that
// is really connected to, so neither name resolution nor a redirect gets
// around it.
//
// The package keeps no state between probes. When a probe runs, and what its
// result means for the workload, is decided elsewhere.
package probe
