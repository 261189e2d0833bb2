// Package hostile plays a tenant who means harm and has nothing but the role
// edit in one namespace, against the released program, in a cgroup with the
// chart's memory limit, on a real API server. Meanwhile it measures another
// namespace, which must not notice.
//
// Everything runs in a network namespace that the tests make themselves: the
// machines of both tenants have addresses on its loopback device, and nothing
// leaves it. That needs root on Linux; elsewhere the tests say so and are left
// out.
package hostile
