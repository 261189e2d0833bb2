// Package server answers the operators of this program: /livez and /readyz on
// one address, /metrics and, when asked for, /debug/pprof on another.
//
// Health is always open and plain, because the kubelet asks without a token.
// Metrics are served by HTTPS to those whom the API server knows and allows,
// or, as an option, plainly to everybody. When the API server cannot be asked,
// nobody gets in.
//
// The package knows nothing of what is healthy or measured: checks and the
// gatherer are given to it. It must not import the controllers.
package server
