// Package hostile attacks the released program as a tenant who has only the role edit
// in one namespace. The program runs in a cgroup with the chart's memory limit, with a
// real API server. The tests measure another namespace, which must not be affected.
//
// Everything runs in a network namespace that the tests create: the machines of both
// tenants have addresses on its loopback device, and nothing leaves it. That needs root
// on Linux; elsewhere the tests are skipped.
package hostile
