// Package endpointslice keeps, for every Service that selects
// ExternalWorkloads, the EndpointSlices through which clients reach them.
//
// One event takes this way (the file in which it happens in brackets):
//
//	watch event -> informer cache                       informers.go
//	  -> Services that select the workload, or did      handlers.go, membership.go
//	  -> queue of Service keys                          controller/loop
//	  -> worker: gather, desired, plan, apply, observe  sync.go
//	       gather   the Service, its workloads, its slices; stale: wait for the cache
//	       desired  what has to be published            pkg/desired
//	       plan     the next safe step                  pkg/plan
//	       apply    requests, each with a deadline      apply.go
//	       observe  metrics, Events                     observe.go
//	  -> the write comes back as an event of the slice: nothing to do, or the next step
//
// It decides nothing about what is published: that is in pkg/desired and
// pkg/plan. It writes nothing but EndpointSlices and Events.
package endpointslice
