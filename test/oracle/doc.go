// Package oracle computes, slowly and plainly, which EndpointSlices must exist
// for given Services and ExternalWorkloads, and compares that with those that
// do exist.
//
// It is the second opinion that tests hold the controller against. Therefore it
// is written from the rules of docs alone, prefers loops over cleverness, keeps
// nothing between two calls, and must never import the controller's own
// packages apart from the API types: an error made twice in the same words
// would not be found.
//
// What it does not judge: the order of writes, the names after the generated
// prefix, how endpoints are spread over slices of one family and port set, the
// order of ports, and annotations. Services that are being deleted but are held
// by a finalizer count as existing.
package oracle
