package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/external-workload/controller/pkg/explain"
)

// requestFailed returns a one-line error that explains a failed request to the user.
func requestFailed(verb, resource, namespace string, err error) error {
	where := ""
	if namespace != "" {
		where = fmt.Sprintf(" in namespace %q", namespace)
	}
	var address *url.Error
	switch {
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted")
	case apierrors.IsForbidden(err):
		return fmt.Errorf("no permission to %s %s%s; ask for a Role that allows it (%w)", verb, resource, where, err)
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("the API server does not accept the credentials of the kubeconfig; they may have expired: %w", err)
	case apierrors.IsNotFound(err) && verb == "list":
		return fmt.Errorf("the cluster does not know %s: install the chart or the CustomResourceDefinition", resource)
	case errors.As(err, &address) && unreachable(err):
		return fmt.Errorf("cannot reach the API server: %w", address)
	}
	return fmt.Errorf("%s %s%s: %w", verb, resource, where, err)
}

// workloadFailed returns a one-line error that explains a failed request for one
// workload. A missing workload has the text of package explain, so that all verbs say
// the same.
func workloadFailed(verb, namespace, name string, err error) error {
	switch {
	case apierrors.IsNotFound(err) && unknownResource(err):
		return requestFailed("list", workloadResource, namespace, err)
	case apierrors.IsNotFound(err):
		return &explain.NotFoundError{Kind: workloadKind, Namespace: namespace, Name: name}
	}
	return requestFailed(verb, workloadResource, namespace, err)
}

// unreachable reports whether the API server did not answer.
func unreachable(err error) bool {
	var network net.Error
	return errors.As(err, &network)
}
