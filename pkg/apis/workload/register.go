// Package workload holds the name of the API group that Linkerd gave to
// machines outside the cluster. Its versions are in the folders below.
package workload

// GroupName is the API group of ExternalWorkload.
const GroupName = "workload.linkerd.io"
