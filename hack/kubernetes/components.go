package main

import (
	"fmt"
	"slices"
	"strings"
)

// A component is one binary.
type component struct {
	name, pkg string
	// always is true for components that every run needs; others are built on request.
	always bool
}

// components are in build order: those that every run needs come first.
var components = []component{
	{name: "etcd", pkg: "go.etcd.io/etcd/server/v3", always: true},
	{name: "kube-apiserver", pkg: "k8s.io/kubernetes/cmd/kube-apiserver", always: true},
	{name: "kube-controller-manager", pkg: "k8s.io/kubernetes/cmd/kube-controller-manager", always: true},
	{name: "kubectl", pkg: "k8s.io/kubernetes/cmd/kubectl", always: true},
	{name: "kube-scheduler", pkg: "k8s.io/kubernetes/cmd/kube-scheduler"},
	{name: "kubelet", pkg: "k8s.io/kubernetes/cmd/kubelet"},
	{name: "kube-proxy", pkg: "k8s.io/kubernetes/cmd/kube-proxy"},
}

// choose returns the components that are always built and those that are requested.
func choose(asked []string) ([]component, error) {
	var chosen []component
	for _, candidate := range components {
		if candidate.always || slices.Contains(asked, candidate.name) {
			chosen = append(chosen, candidate)
		}
	}
	for _, name := range asked {
		if !slices.ContainsFunc(components, func(c component) bool { return c.name == name }) {
			return nil, fmt.Errorf("no component is called %q: choose from %s", name, names(components, false))
		}
	}
	return chosen, nil
}

// available divides the requested components into those that the module can build and
// those that it lacks.
func (m module) available(wanted []component) (built, lacking []component) {
	for _, c := range wanted {
		if m.has(c) {
			built = append(built, c)
		} else {
			lacking = append(lacking, c)
		}
	}
	return built, lacking
}

func names(of []component, always bool) string {
	var found []string
	for _, c := range of {
		if c.always == always {
			found = append(found, c.name)
		}
	}
	return strings.Join(found, ", ")
}
