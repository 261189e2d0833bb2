// Package oracle computes, slowly and simply, which EndpointSlices must exist for given
// Services and ExternalWorkloads, and compares them with the actual ones.
//
// Tests compare the controller with it. It is therefore written only from the
// documented rules, prefers simple loops, keeps no state between calls, and must never
// import the controller's own packages apart from the API types: otherwise an error
// could be in both and stay undetected.
//
// It does not check the order of writes, the names after the generated prefix, how
// endpoints are distributed over slices of one family and port list, the order of
// ports, and annotations. Services that are being deleted but kept by a finalizer count
// as existing.
package oracle
