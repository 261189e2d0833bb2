// Package oracle computes, slowly and simply, which EndpointSlices must exist for given
// Services and ExternalWorkloads, and compares them with the actual ones.
//
// Tests compare the controller with it. It is therefore written only from the
// documented rules, prefers simple loops, keeps no state between calls, and must never
// import the controller's own packages apart from the API types: otherwise an error
// could be in both and stay undetected.
//
// It does not check the order of writes, the generated part of names, the distribution of
// endpoints over slices with the same family and ports, the order of ports, and annotations.
// A Service that is being deleted but has a finalizer counts as existing.
package oracle
