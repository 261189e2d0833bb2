// Package invitation defines the objects and files with which a machine can
// register itself: its ServiceAccount with its permissions, the permitted address
// ranges, its token, and the files for the machine.
//
// An invitation is for one machine. The administrator creates the
// ExternalWorkload with everything that the machine must not choose: labels, ports,
// identity, server name, probe. The machine may set only its addresses and its
// drain annotation. So it needs no permission to create objects, which RBAC cannot
// limit to a name, and a ValidatingAdmissionPolicy of the chart limits its patches
// to these fields. The ExternalWorkload owns the ServiceAccount, which owns the Role
// and the RoleBinding: an invitation ends with its machine, and deleting the
// ServiceAccount revokes it.
//
// All functions are pure: no client, clock or file.
package invitation
