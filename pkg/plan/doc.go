// Package plan computes, from the endpoints that are desired for a Service and
// the EndpointSlices that stand, the next writes that bring the slices nearer
// to what is desired. It is pure: values in, values out, in a deterministic
// order; it remembers nothing between calls, so a restart, a conflict or a new
// leader in the middle of a change goes on from what stands.
//
// # Safe steps
//
// Linkerd's destination service keeps one entry for each workload name, and
// tells its clients only of names that come and go. So every write is a step
// that such a client can follow, and a change may take two:
//
//   - An endpoint that stands ready never changes its address, port or identity
//     in place: it is withdrawn (made not ready) in one write and published with
//     its new values in the next. All endpoints of a slice share both writes.
//   - When the ports of a slice change, its endpoints are withdrawn and
//     published again on the same slice, one slice of the Service at a time. New
//     or missing port names that leave the others as they are need no such step.
//   - An endpoint that moves to another slice, or whose address and port is
//     taken over by another workload, is withdrawn in an earlier write.
//   - A slice with endpoints is emptied before it is deleted.
//
// One call of Compute plans at most one write for each slice. Writes in an
// earlier phase are done before those in a later one; within a phase their
// order is free. Where a step has to follow that can be planned only once these
// writes stand, the plan says so in More.
//
// # Packing
//
// An endpoint stays in its slice. New ones fill the slices that are written
// anyway, then the fullest slice that has room for all the rest, and else new
// slices. Nothing is moved for packing's sake.
package plan
