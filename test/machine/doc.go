// Package machine holds the tests of invited machines on a real API server with
// RBAC and the admission policies of the chart: an administrator invites, the
// machine registers, changes its address, renews its token and drains; and a thief
// tries everything with its credential. They run in a network namespace.
package machine
