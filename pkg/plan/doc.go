// Package plan computes the next writes that bring the actual EndpointSlices of a
// Service closer to its desired endpoints. It is pure and deterministic, and keeps
// nothing between calls. After a restart, a conflict or a change of the leader in the
// middle of a change, it therefore continues from the actual slices.
//
// # Safe steps
//
// Linkerd's destination service keeps one entry for each workload name, and sends its
// clients only the names that are added and removed. Every write is therefore a step
// that such a client can follow, and a change may take two:
//
//   - A ready endpoint never changes its address, port or identity in place: one write
//     withdraws it (makes it not ready), and the next one publishes it with its new
//     values. All endpoints of a slice share both writes.
//   - When the ports of a slice change, its endpoints are withdrawn and published again
//     in the same slice, one slice of the Service at a time. Port names that are added
//     or removed without changing other ports need no such step.
//   - An endpoint that moves to another slice, or whose address and port another
//     workload takes over, is withdrawn in an earlier write.
//   - A slice with endpoints is emptied before it is deleted.
//   - While consumers may not have received the last writes, because watches were
//     interrupted, a write that is safe only after an earlier one waits
//     (veto_recovery.go). A held endpoint, whose workload, identity or Service
//     consumers may not know yet, is not published either. Withdrawals never wait.
//   - Content that the API server would refuse is never written again: an address that
//     an older version accepted, or an endpoint too many for the slice, is removed, not
//     carried over.
//
// # How a plan is made
//
// Compute reads the actual slices, and finds the desired endpoint for each of their
// endpoints (slice.go) and how the ports of each slice change (ports.go). It decides
// each endpoint once, independently of the others (decide.go), and places those that
// are in no slice (place.go). Vetoes then replace decisions that would harm other
// endpoints (veto.go, veto_publication.go). From the decisions follow the writes, the
// dependencies between them, and the number of further steps (writes.go, content.go).
// Every action has a reason.
//
// # Writes
//
// One call of Compute plans at most one write for each slice. A publication depends
// exactly on the writes that withdraw what it replaces, and its own write contains no
// withdrawal. All other writes depend on nothing, so a refused write does not delay
// others.
//
// # Packing
//
// An endpoint stays in its slice. New endpoints fill the slices that are written
// anyway, then the fullest slice with room for all the rest, and otherwise new slices.
// No endpoint moves only to pack slices better.
package plan
