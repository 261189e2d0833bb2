// Package adopt shows, before anything is installed, what the controller would
// write in a cluster: for each Service the steps from the EndpointSlices that
// stand to those that are desired, endpoint by endpoint. It plays the planner's
// own plans on copies in memory. It talks to nobody: objects come in, text goes
// out.
package adopt
