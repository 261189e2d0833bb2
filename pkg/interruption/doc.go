// Package interruption keeps list and watch requests going while the API server
// is away, and knows until when consumers of EndpointSlices may lack what was
// written, because their watches were interrupted as ours were.
//
// An informer whose requests fail waits longer and longer, up to a minute: after
// an API server was killed, the list of workloads came back 65 s later. A Monitor
// tries a failed request again within a second instead.
//
// Other programs wait that long. One that lists again sees only the last of the
// writes that were made until then, so a change that takes two writes must not
// make the second too early. How long an informer may wait follows from the time
// that the API server was away (Recovery).
package interruption
