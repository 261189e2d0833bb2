// Package endpointslice keeps, for every Service that selects
// ExternalWorkloads, the EndpointSlices through which clients reach them.
//
// One event takes this way (the file in which it happens in brackets):
//
//	watch event -> informer cache, trimmed and shared    informers.go, trim.go, shares.go
//	  -> Services that select the workload, or did       handlers.go, membership.go, selection.go
//	  -> queue of Service keys                           controller/loop
//	  -> worker: gather, desired, plan, apply, observe   sync.go
//	       gather   the Service, its workloads, its slices; freshness.go: wait for the cache
//	       desired  what has to be published             pkg/desired
//	       plan     the next safe step                   pkg/plan
//	       apply    requests, each with a deadline       apply.go, failure.go
//	       observe  metrics and Events                   observe.go, reported.go, events.go
//	  -> the write comes back as an event of the slice: nothing to do, or the next step
//
// What is remembered of a Service between syncs belongs to the worker that syncs
// it (state.go): among it how foreign writes are counted and their repairs limited
// (contention.go). Before it leads, a controller keeps nothing but its caches.
//
// It decides nothing about what is published: that is in pkg/desired and
// pkg/plan. It writes nothing but EndpointSlices and Events.
package endpointslice
