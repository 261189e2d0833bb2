// Package controller holds the controllers, one in each folder:
//
//   - endpointslice: Services and ExternalWorkloads -> EndpointSlices
//   - readiness: probes and declarations -> the status of ExternalWorkloads
//   - loop: the queue of keys and the workers that both share
//
// An imperative shell goes around a pure core. Events become keys, a key
// becomes a gathered input, the input becomes desired state (pkg/desired),
// desired and actual state become a plan (pkg/plan), the plan becomes requests,
// and what happened becomes metrics and Events:
//
//	informers --events--> handlers --keys--> loop --key--> sync
//	    ^                                                    | gather
//	    |                                                    v
//	API server <--requests-- apply <--plan-- plan <-- desired
//
// Data flows one way; only our own writes come back, as events.
//
// Who may import whom: cmd -> controller/* -> pkg/{plan, desired, metrics,
// generated, apis}; plan -> desired -> apis. The packages plan and desired know
// no client, log, metric, context or clock. The linter holds these rules.
//
// # Where this differs from the first design
//
//   - New slices are created with a name of their own choosing that looks
//     generated, beside generateName. A create whose answer was lost finds its
//     name in use when it is tried again; with a name that the API server makes
//     there would be two slices with the same endpoints.
//   - Services with equal selectors share one selection, so that the memory for
//     5,000 Services that select the same 5,000 machines is that for one.
//   - What counts of a workload (desired.Workload) is worked out when its object
//     changes, not in every sync: parsing its addresses would cost more than all
//     the rest of a sync with nothing to do.
//   - A second informer watches slices without any managed-by label: usually
//     none. It is how a slice is found again from which somebody took the label.
//   - The Lease is tried for often and renewed seldom (pkg/leadership). A fence
//     keeps every write within the Lease, and every byte of it: writes have a
//     connection of their own.
//   - Namespaces take turns in the queue, and one that is busy all the time
//     beside others begins syncs at a limited rate: more would not delay the
//     others here, but make the API server do so.
package controller
