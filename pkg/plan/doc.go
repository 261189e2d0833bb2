// Package plan computes, from the endpoints that are desired for a Service and
// its actual EndpointSlices, the next writes that bring the slices nearer to
// what is desired. It is pure: values in, values out, in a deterministic order;
// it remembers nothing between calls, so a restart, a conflict or a new leader in
// the middle of a change goes on from what is there.
//
// # Safe steps
//
// Linkerd's destination service keeps one entry for each workload name, and
// tells its clients only of names that come and go. So every write is a step
// that such a client can follow, and a change may take two:
//
//   - An endpoint that is ready never changes its address, port or identity in
//     place: it is withdrawn (made not ready) in one write and published with
//     its new values in the next. All endpoints of a slice share both writes.
//   - When the ports of a slice change, its endpoints are withdrawn and
//     published again on the same slice, one slice of the Service at a time. New
//     or missing port names that leave the others as they are need no such step.
//   - An endpoint that moves to another slice, or whose address and port is
//     taken over by another workload, is withdrawn in an earlier write.
//   - A slice with endpoints is emptied before it is deleted.
//   - While consumers may lack the last writes, because watches were interrupted,
//     what relies on an earlier write waits (veto_recovery.go). An endpoint that is
//     held, because consumers may not know its workload, identity or Service yet,
//     is not published either. Withdrawals never wait.
//   - What the API server would refuse is never written again: an address that
//     an older version accepted is removed, not carried over.
//
// # How a plan is made
//
// Compute reads the actual slices and finds for each of their endpoints what is
// desired (slice.go), and how the ports of each slice change (ports.go). It
// decides for each endpoint once, as if it were alone (decide.go), and places
// those that are in no slice (place.go). Vetoes then replace single decisions by
// more careful ones, for the sake of other endpoints (veto.go,
// veto_publication.go). What is left gives the writes, what each waits for, and
// how many steps follow (writes.go, content.go). Every action carries its reason.
//
// # Writes
//
// One call of Compute plans at most one write for each slice. A publication waits
// for exactly the writes that withdraw what it replaces; its own write then holds
// nothing that must not wait. All other writes depend on nothing, so one that is
// refused keeps nothing else back.
//
// # Packing
//
// An endpoint stays in its slice. New ones fill the slices that are written
// anyway, then the fullest slice that has room for all the rest, and else new
// slices. Nothing is moved for packing's sake.
package plan
