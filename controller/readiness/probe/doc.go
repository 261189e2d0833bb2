// Package probe asks one machine once whether it is ready, by the rules of
// Kubernetes' readiness probes: it decodes the probe that a workload carries as
// an annotation, and performs it over TCP, HTTP or gRPC.
//
// A probe's author is not trusted, nor is the machine. Decoding is strict and
// bounded, every probe is bounded in time and in the bytes that it reads, and
// all probes in flight together in memory. Nothing that a machine says is
// repeated: messages are constants and numbers. The address policy
// refuses addresses that must not be reached. The dialer asks it about the address
// that is really connected to, so neither name resolution nor a redirect gets
// around it.
//
// HTTP and gRPC follow kubelet. The requests and redirects are those of
// net/http, but connections are read by this package: net/http and grpc-go keep
// what a server sends and need several goroutines, which is a hundred
// kilobytes and more for each probe of a server that means harm.
//
// The package keeps no state between probes. When a probe runs, and what its
// result means for the workload, is decided elsewhere.
package probe
