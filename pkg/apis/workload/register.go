// Package workload has the name of the API group of ExternalWorkloads, which Linkerd
// defined. The folders below have its versions.
package workload

// GroupName is the API group of ExternalWorkload.
const GroupName = "workload.linkerd.io"
