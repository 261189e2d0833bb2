package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/external-workload/controller/pkg/generated/clientset/versioned"
	"github.com/external-workload/controller/pkg/invitation"
)

const (
	// checkTimeout is the time for the API server to apply a new RoleBinding and the
	// admission policies.
	checkTimeout  = 10 * time.Second
	checkInterval = 200 * time.Millisecond
)

// forbiddenPatch is a change that a machine must not make.
const forbiddenPatch = `{"metadata":{"labels":{"external-workload.io/invitation-check":"refuse"}}}`

var errUnlimited = errors.New("the cluster does not limit what a machine may change in its ExternalWorkload: " +
	"install the chart with invitations.enabled=true, and this namespace among its namespaces")

// checkCredential tests the new credential: the admission policy must refuse a change
// that is not permitted, and the token must be renewable.
func (i *inviter) checkCredential(ctx context.Context, token string) error {
	config := rest.AnonymousClientConfig(i.clients.config)
	config.BearerToken = token
	workloads, err := versioned.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	core, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	limited := func(ctx context.Context) (bool, error) {
		_, err := workloads.WorkloadV1beta1().ExternalWorkloads(i.namespace).Patch(ctx, i.name, types.MergePatchType, []byte(forbiddenPatch),
			metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}, FieldManager: invitation.FieldManager})
		switch {
		case err == nil:
			return false, errUnlimited
		case apierrors.IsInvalid(err) && strings.Contains(err.Error(), invitation.Refusal):
			return true, nil
		case apierrors.IsInvalid(err):
			// Another policy may refuse the same change, which says nothing about the
			// others.
			return false, fmt.Errorf("%w (the change that tests this is refused for another reason: %s)", errUnlimited, oneLine(err.Error()))
		}
		return false, fmt.Errorf("try the new credential: %w", requestFailed("patch", workloadResource, i.namespace, err))
	}
	renewable := func(ctx context.Context) (bool, error) {
		request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: new(int64(i.tokenLifetime.Seconds()))}}
		_, err := core.CoreV1().ServiceAccounts(i.namespace).CreateToken(ctx, invitation.Account(i.name), request, metav1.CreateOptions{})
		if err == nil {
			return true, nil
		}
		return false, fmt.Errorf("the machine could not renew its token: %w", err)
	}
	for _, check := range []func(context.Context) (bool, error){limited, renewable} {
		if err := tryFor(ctx, checkTimeout, check); err != nil {
			return err
		}
	}
	return nil
}

// tryFor repeats a check until it succeeds, fails permanently, or the time is over, and
// returns its last error.
func tryFor(ctx context.Context, timeout time.Duration, check func(context.Context) (bool, error)) error {
	deadline := time.Now().Add(timeout)
	for {
		done, err := check(ctx)
		if done || apierrors.IsInvalid(err) || time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.New("interrupted")
		case <-time.After(checkInterval):
		}
	}
}
