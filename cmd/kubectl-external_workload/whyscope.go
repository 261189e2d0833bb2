package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// whyScope is where why looks: the manifests that were given, and a namespace.
type whyScope struct {
	manifests manifestObjects
	namespace string
	// everywhere is true if all manifests are explained, each in its own namespace.
	everywhere bool
}

// whyScope reads the manifests. Their authors name the namespace in them, so that of
// the kubeconfig's context is only for manifests without one, and -n takes precedence.
func (p *program) whyScope(flags whyFlags, args []string) (whyScope, error) {
	scope := whyScope{namespace: p.manifestNamespace()}
	var err error
	if !flags.local {
		if scope.namespace, err = p.namespace(); err != nil {
			return scope, err
		}
	}
	if len(flags.files) == 0 {
		return scope, nil
	}
	if scope.manifests, err = readManifests(flags.files, p.in, scope.namespace); err != nil || p.overrides.Context.Namespace != "" {
		return scope, err
	}
	switch {
	case flags.service != "":
		scope.namespace, err = namespaceOf("Service", flags.service, scope.manifests.services, scope.namespace)
	case len(args) > 0:
		scope.namespace, err = namespaceOf(workloadKind, args[0], scope.manifests.workloads, scope.namespace)
	case flags.local:
		scope.everywhere = true
	default:
		// Only one namespace of the cluster is read.
		scope.namespace, err = onlyNamespace(scope.manifests.workloads, scope.namespace, workloadKind+"s", "name one of the workloads, or give --local")
	}
	return scope, err
}

// names returns the workloads to explain: the one in the arguments, or else all of the
// manifests.
func (s *whyScope) names(args []string) ([]types.NamespacedName, error) {
	if len(args) > 0 {
		return []types.NamespacedName{{Namespace: s.namespace, Name: args[0]}}, nil
	}
	given := s.manifests.workloadNames()
	if len(given) == 0 {
		return nil, errors.New("there is no ExternalWorkload in the manifests; name one of the cluster")
	}
	for _, w := range given {
		if !s.everywhere && w.Namespace != s.namespace {
			return nil, fmt.Errorf("the manifest of ExternalWorkload %q is for namespace %q; give -n %[2]s", w.Name, w.Namespace)
		}
	}
	return given, nil
}

// namespaceOf returns the namespace of the manifest with a name, or otherwise if there
// is none.
func namespaceOf[T metav1.Object](kind, name string, objects []T, otherwise string) (string, error) {
	var named []T
	for _, object := range objects {
		if object.GetName() == name {
			named = append(named, object)
		}
	}
	return onlyNamespace(named, otherwise, fmt.Sprintf("%s %q", kind, name), "give one of them with -n")
}

// onlyNamespace returns the namespace of all objects, or otherwise if there is none. what
// and advice are for the error if they are in several.
func onlyNamespace[T metav1.Object](objects []T, otherwise, what, advice string) (string, error) {
	var found []string
	for _, object := range objects {
		found = append(found, object.GetNamespace())
	}
	slices.Sort(found)
	switch found = slices.Compact(found); len(found) {
	case 0:
		return otherwise, nil
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("the manifests have %s in namespaces %s; %s", what, strings.Join(found, ", "), advice)
}
