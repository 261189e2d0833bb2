// Package endpointslice is the controller that publishes an EndpointSlice for every
// address family and port list of each Service that selects ExternalWorkloads.
//
// The path of an event, with the files:
//
//	watch event -> informer cache, trimmed and shared    informers.go, trim.go, shares.go
//	  -> Services that select the workload, or did       handlers.go, membership.go, selection.go
//	  -> queue of Service keys                           controller/loop
//	  -> worker: gather, desired, plan, apply, observe   sync.go
//	       gather   the Service, its workloads, its slices; freshness.go: wait for the cache
//	       desired  the desired endpoints                pkg/desired
//	       plan     the next safe step                   pkg/plan
//	       apply    requests, each with a timeout        apply.go, failure.go
//	       observe  metrics and Events                   observe.go, reported.go, events.go
//	  -> the write comes back as an event of the slice: nothing to do, or the next step
//
// The worker that syncs a Service owns the state that is kept between syncs (state.go),
// such as the count of foreign writes and the budget of repairs (contention.go). Before
// it leads, a controller keeps only its caches.
//
// The package does not decide what is published: pkg/desired and pkg/plan do. It writes
// only EndpointSlices and Events.
package endpointslice
