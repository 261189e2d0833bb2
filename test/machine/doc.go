// Package machine tests invited machines with a real API server, RBAC and the chart's
// admission policies. An administrator invites a machine; the machine registers, changes its
// address, renews its token and drains. Then the tests try everything that a thief could do
// with its credential. They run in a network namespace.
package machine
