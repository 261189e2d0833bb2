// Package controlplane starts a real Kubernetes control plane on loopback: etcd,
// kube-apiserver and, when asked, kube-controller-manager, each a process of its
// own, from the binaries that hack/kubernetes builds.
//
// It does not use controller-runtime's envtest, because tests of faults need more: the pid of
// each process, for SIGKILL and SIGSTOP; a restart with the same ports and data; and a command
// in front of each process that puts it into a network namespace.
//
// Nothing outlives the program that starts it. Stop, or the end of the context, ends all
// processes, last one first. The kernel kills the children of a program that dies without
// that.
//
// The package must not depend on the controller. It is for Linux and for tests only: etcd does
// not sync its files, and everybody who can read the folder has the administrator's key.
package controlplane
