// Package traefik tests how the real Traefik follows changes of machines under load. Traefik
// sends requests to machines by an Ingress and by the Gateway API, while readiness, addresses
// and drains change. The tests do the same with hand-written slices, so that a difference shows
// whether the controller or Traefik is at fault. They also run the Gateway API's own conformance
// case for hand-written slices, once with the slices of the controller.
//
// The tests run in a network namespace, because machines need addresses other than loopback.
// hack/traefik selects the version of Traefik and leaves some parts out.
//
// It is a separate module, so that the program does not depend on the Gateway API.
package traefik
