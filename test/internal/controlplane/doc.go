// Package controlplane starts a real Kubernetes control plane on loopback: etcd,
// kube-apiserver and, when asked, kube-controller-manager, each a process of its
// own, from the binaries that hack/kubernetes builds.
//
// It starts the processes itself, rather than through controller-runtime's
// envtest, because tests of faults need what envtest hides: the pid of each
// process, to kill it with SIGKILL or to stop it with SIGSTOP; a second start on
// the same ports and the same data; and a command in front of each process that
// puts it into a network namespace.
//
// Nothing outlives the program that starts it. Stop ends what was started, the
// last one first; the end of the context does the same; and the kernel kills the
// children of a program that dies without doing either.
//
// The package must not know the controller: what runs against the API server is
// the caller's business. It is for Linux, and for tests: etcd does not sync its
// files, and everybody who can read the folder holds the administrator's key.
package controlplane
