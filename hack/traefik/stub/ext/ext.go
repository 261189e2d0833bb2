// Package ext replaces a module in Traefik's repository that has no version: Traefik's
// go.mod replaces it with a folder that is not part of the module. Traefik's own types
// have no fields either.
package ext

// HTTP has no fields.
type HTTP struct{}

// Router has no fields.
type Router struct{}

// RouterIng has no fields.
type RouterIng struct{}

// ToRouter is called for an Ingress.
func (RouterIng) ToRouter() Router { return Router{} }
