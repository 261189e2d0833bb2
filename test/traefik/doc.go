// Package traefik tests how the real Traefik follows changes of machines under load. Traefik
// sends requests to machines by an Ingress, while readiness, addresses and drains change.
// The tests do the same with hand-written slices, so that a difference shows whether the
// controller or Traefik is at fault.
//
// The tests run in a network namespace, because machines need addresses other than loopback.
// hack/traefik selects the version of Traefik and leaves some parts out.
package traefik
