// Package probe probes one machine once, by the rules of Kubernetes' readiness probes:
// it decodes the probe in a workload's annotation, and performs it over TCP, HTTP or
// gRPC.
//
// Neither the author of a probe nor the machine is trusted. Decoding is strict and
// bounded, every probe is bounded in time and in the bytes that it reads, and all
// concurrent probes together in memory. Messages contain only constants and numbers,
// never text from a machine. The address policy refuses addresses that must not be
// probed. The dialer checks the address of each connection, so neither name resolution
// nor a redirect can bypass the policy.
//
// HTTP and gRPC follow kubelet. Requests and redirects are those of net/http, but this
// package reads the connections itself: net/http and grpc-go buffer what a server sends
// and need several goroutines, which costs a hundred kilobytes or more for each probe
// of a hostile server.
//
// The package keeps no state between probes. Its caller decides when a probe runs and
// what its result means for the workload.
package probe
