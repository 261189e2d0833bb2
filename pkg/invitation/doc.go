// Package invitation holds what an administrator gives to a machine, so that it can
// register itself: the ServiceAccount of the machine with its rights, the address
// ranges that it may claim, its token, and the files for the machine.
//
// An invitation is for one machine. The administrator creates the
// ExternalWorkload with everything that the machine may not choose: labels, ports,
// identity, server name, probe. The machine may set only its addresses and its
// drain annotation. So it needs no right to create, which RBAC cannot limit to a
// name, and a ValidatingAdmissionPolicy of the chart limits the patch to these
// fields. The ExternalWorkload owns the ServiceAccount, which owns the Role and the
// RoleBinding: an invitation ends with its machine, and deleting the
// ServiceAccount revokes it.
//
// All functions are pure: no client, clock or file.
package invitation
