// Package traefik has the real Traefik send requests to machines by an Ingress, and
// changes under its load what decides where they go: readiness, addresses and drains.
// The same is done with slices that are written by hand, so that a difference shows
// whether the controller or Traefik is at fault.
//
// The tests run in a network namespace, because machines need addresses that are not
// loopback. hack/traefik says which Traefik is built, and what it lacks.
package traefik
