// Package server serves /livez and /readyz on one address, and /metrics and optionally
// /debug/pprof on another.
//
// Health needs no authentication, because kubelet sends no token. Metrics are served
// over HTTPS to users whom the API server authenticates and authorizes or, as an
// option, over HTTP to everybody. While the API server cannot be reached, requests for
// metrics are refused, except those with a recently reviewed token.
//
// The package defines neither the checks nor the metrics: the caller passes both. It
// must not import the controllers.
package server
