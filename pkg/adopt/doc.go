// Package adopt previews what the controller would write in a cluster, before it is
// installed: for each Service, the steps from the actual EndpointSlices to the desired
// ones, endpoint by endpoint. It applies the plans of package plan to copies in memory.
// It has no client: objects come in, text goes out.
package adopt
