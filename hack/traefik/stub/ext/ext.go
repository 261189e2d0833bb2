// Package ext takes the place of a module in Traefik's repository that has no
// version: Traefik's go.mod replaces it by a folder, which is not in the module.
// Traefik itself has no fields there.
package ext

// HTTP has no fields.
type HTTP struct{}

// Router has no fields.
type Router struct{}

// RouterIng has no fields.
type RouterIng struct{}

// ToRouter is called for an Ingress.
func (RouterIng) ToRouter() Router { return Router{} }
