// Package machine tests invited machines with a real API server with RBAC and the
// chart's admission policies: an administrator invites; the machine registers, changes
// its address, renews its token and drains; and a thief tries everything with its
// credential. The tests run in a network namespace.
package machine
