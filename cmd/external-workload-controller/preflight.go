package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

const (
	// preflightTimeout is the timeout of each request of the preflight.
	preflightTimeout = 10 * time.Second
	// preflightPause is the interval between attempts.
	preflightPause = 2 * time.Second
)

// preflight checks, before the informers start, whether the API server can be reached,
// serves ExternalWorkloads and permits the reads that the controller needs. It logs
// what is missing, once, and waits for it.
type preflight struct {
	clients    *clients
	namespaces []string

	mu      sync.Mutex
	problem error
}

func newPreflight(c *clients, namespaces []string) *preflight {
	return &preflight{clients: c, namespaces: namespaces, problem: fmt.Errorf("the API server has not been asked yet")}
}

// Problem returns what is missing, or nil. It is safe for concurrent use.
func (p *preflight) Problem() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.problem
}

// wait returns when nothing is missing, or when ctx is cancelled.
func (p *preflight) wait(ctx context.Context) error {
	logger := klog.FromContext(ctx)
	said := ""
	var away time.Time // since when the API server has not answered
	for {
		begin := time.Now()
		problem := p.check(ctx)
		switch unanswered := problem != nil && apierrors.ReasonForError(problem) == metav1.StatusReasonUnknown; {
		case unanswered && away.IsZero():
			away = begin
		case !unanswered && !away.IsZero():
			p.clients.interruption.Interrupted(time.Since(away))
			away = time.Time{}
		}
		p.mu.Lock()
		p.problem = problem
		p.mu.Unlock()
		if problem == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		if text := problem.Error(); text != said {
			logger.Error(nil, "Waiting for the API server: "+text)
			said = text
		}
		select {
		case <-ctx.Done():
		case <-time.After(preflightPause):
		}
	}
}

// check makes one read of each kind in each namespace.
func (p *preflight) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, preflightTimeout)
	defer cancel()
	one := metav1.ListOptions{Limit: 1}
	for _, namespace := range p.namespaces {
		_, err := p.clients.workloads.WorkloadV1beta1().ExternalWorkloads(namespace).List(ctx, one)
		if err != nil {
			return explain(err, v1beta1.GroupVersion.Group, "externalworkloads", namespace)
		}
		if _, err := p.clients.core.CoreV1().Services(namespace).List(ctx, one); err != nil {
			return explain(err, corev1.GroupName, "services", namespace)
		}
		if _, err := p.clients.core.DiscoveryV1().EndpointSlices(namespace).List(ctx, one); err != nil {
			return explain(err, discoveryv1.GroupName, "endpointslices", namespace)
		}
	}
	return nil
}

// explain returns an error that says what to do about a failing read.
func explain(err error, group, resource, namespace string) error {
	where := "in all namespaces"
	if namespace != metav1.NamespaceAll {
		where = "in namespace " + namespace
	}
	switch {
	case apierrors.IsNotFound(err):
		return fmt.Errorf("it does not know %s of group %s: install the CustomResourceDefinition, with the chart's value crds.install or with Linkerd's linkerd-crds: %w", resource, group, err)
	case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err):
		return fmt.Errorf("it does not allow to list %s %s: give the service account the permissions of the chart, or name the namespaces that it may read with --namespaces: %w", resource, where, err)
	default:
		return fmt.Errorf("it cannot be reached or does not answer: check its address in --kubeconfig and the network: %w", err)
	}
}
