// Package controller contains the controllers, one per folder:
//
//   - endpointslice: Services and ExternalWorkloads -> EndpointSlices
//   - readiness: probes and declarations -> the status of ExternalWorkloads (Ready,
//     one condition per address family, Accepted and Draining)
//   - loop: the queue of keys and the workers that both share
//
// Decisions are pure functions; I/O is at the edge. Handlers turn an event into a key.
// A sync gathers the input of a key, computes the desired state (pkg/desired) and a
// plan from the actual to the desired state (pkg/plan), sends the plan as requests, and
// records metrics and Events:
//
//	informers --events--> handlers --keys--> loop --key--> sync
//	    ^                                                    | gather
//	    |                                                    v
//	API server <--requests-- apply <--plan-- plan <-- desired
//
// Data flows one way. The controllers see their own writes only as events.
//
// Import rules, which golangci-lint enforces (.golangci.yml):
//
//   - cmd imports controller and pkg; pkg imports neither cmd nor controller.
//   - controller/loop imports nothing of pkg. It handles keys, retries and progress.
//   - controller/endpointslice and controller/readiness communicate through API
//     objects. endpointslice imports only readiness/declaration, the rules for
//     annotations; readiness imports nothing of endpointslice.
//   - pkg/plan imports pkg/desired, which imports pkg/address and pkg/apis. These three
//     use no client, log, metric, context or clock. pkg/explain, which explains why a
//     workload is served or not, imports only plan, desired and apis.
//
// # Design decisions
//
//   - New slices get a name that looks generated, but is computed from the Service and
//     its slices, in addition to generateName. If the answer to a create is lost, the
//     retry finds the name in use. With a name from the API server, the retry would
//     create a second slice with the same endpoints.
//   - Services with equal selectors share one selection. 5,000 Services that select the
//     same 5,000 machines need the memory of one selection.
//   - desired.Workload, the part of a workload that decides what is published, is
//     computed when the object changes, not in every sync: parsing its addresses would
//     cost more than the rest of a sync that changes nothing.
//   - Three informers watch EndpointSlices: those with our managed-by label, those
//     without the label, and those with an empty one. The last two usually cache
//     nothing; they find a slice whose label another writer has removed or emptied.
//   - Standby instances try to acquire the Lease often, and the leader renews it rarely
//     (pkg/leadership). Each write request, and each piece of it that goes to the
//     connection, is checked against the time left on the Lease; writes have separate
//     connections.
//   - Namespaces take turns in the queue. A namespace that stays busy starts syncs at a
//     limited rate while less busy namespaces have changes, because more of its writes
//     would make the API server slow for the others. Requests that hang occupy a
//     limited share of the workers.
//   - Each endpoint is decided once. Each write depends only on the writes that must
//     precede it, so a refused write does not delay the others.
//   - A probed workload is ready only at addresses at which its probe has passed. The
//     conditions ReadyIPv4 and ReadyIPv6 record that, so it survives a restart.
package controller
