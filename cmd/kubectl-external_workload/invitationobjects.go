package main

import (
	"context"
	"fmt"
	"reflect"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/explain"
	"github.com/external-workload/controller/pkg/invitation"
)

// ensureWorkload creates the ExternalWorkload, or returns the patch that an existing
// one needs.
func (i *inviter) ensureWorkload(ctx context.Context) (*v1beta1.ExternalWorkload, []byte, error) {
	client := i.clients.workloads.WorkloadV1beta1().ExternalWorkloads(i.namespace)
	live, err := client.Get(ctx, i.name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err) && unknownResource(err):
		return nil, nil, requestFailed("list", workloadResource, "", err)
	case apierrors.IsNotFound(err):
		return i.createWorkload(ctx)
	case err != nil:
		return nil, nil, requestFailed("get", workloadResource, i.namespace, err)
	case live.DeletionTimestamp != nil:
		return nil, nil, fmt.Errorf("externalworkload/%s: %w", i.name, errGone)
	}
	desired, err := i.desiredOver(live)
	if err != nil {
		return nil, nil, err
	}
	return live, invitation.Patch(live, desired), nil
}

// desiredOver is the ExternalWorkload that an existing one has to become: that of
// the manifest, or itself with the given ranges.
func (i *inviter) desiredOver(live *v1beta1.ExternalWorkload) (*v1beta1.ExternalWorkload, error) {
	if i.manifest == nil {
		return invitation.WithRanges(live, i.cidrs)
	}
	return invitation.Workload(i.manifest, i.cidrs)
}

func (i *inviter) createWorkload(ctx context.Context) (*v1beta1.ExternalWorkload, []byte, error) {
	if i.manifest == nil {
		return nil, nil, fmt.Errorf("%w; give its manifest with -f", &explain.NotFoundError{Kind: workloadKind, Namespace: i.namespace, Name: i.name})
	}
	desired, err := invitation.Workload(i.manifest, i.cidrs)
	if err != nil {
		return nil, nil, err
	}
	client := i.clients.workloads.WorkloadV1beta1().ExternalWorkloads(i.namespace)
	created, err := client.Create(ctx, desired, metav1.CreateOptions{})
	if err != nil {
		return nil, nil, requestFailed("create", workloadResource, i.namespace, err)
	}
	i.created("externalworkload", created, client.Delete)
	return created, nil, nil
}

func (i *inviter) patchWorkload(ctx context.Context, patch []byte) error {
	client := i.clients.workloads.WorkloadV1beta1().ExternalWorkloads(i.namespace)
	updated, err := client.Patch(ctx, i.name, types.MergePatchType, patch, metav1.PatchOptions{})
	if err != nil {
		return requestFailed("patch", workloadResource, i.namespace, err)
	}
	fmt.Fprintf(i.err, "externalworkload/%s configured\n", i.name)
	if outside := invitation.Outside(updated); len(outside) > 0 {
		fmt.Fprintf(i.err, "warning: %s keeps the address %s, which is outside of %s, until it registers at a permitted one\n",
			i.name, strings.Join(outside, ", "), updated.Annotations[v1beta1.InvitedCIDRsAnnotation])
	}
	return nil
}

// ensureAccount creates the ServiceAccount. It replaces one that belongs to an earlier
// object of the same name, which revokes its tokens.
func (i *inviter) ensureAccount(ctx context.Context, workload *v1beta1.ExternalWorkload) (*corev1.ServiceAccount, error) {
	client := i.clients.core.CoreV1().ServiceAccounts(i.namespace)
	desired := invitation.ServiceAccount(workload)
	account, err := client.Get(ctx, desired.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
	case err != nil:
		return nil, requestFailed("get", "serviceaccounts", i.namespace, err)
	case account.Labels[invitation.KindLabel] != invitation.KindMachine:
		return nil, notOurs("serviceaccount", desired.Name)
	case account.DeletionTimestamp != nil:
		return nil, fmt.Errorf("serviceaccount/%s: %w", desired.Name, errGone)
	case invitation.Owns(workload, account):
		return account, nil
	default:
		earlier := metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &account.UID}}
		if err := client.Delete(ctx, desired.Name, earlier); err != nil && !apierrors.IsNotFound(err) {
			return nil, requestFailed("delete", "serviceaccounts", i.namespace, err)
		}
	}
	if account, err = client.Create(ctx, desired, metav1.CreateOptions{}); err != nil {
		return nil, requestFailed("create", "serviceaccounts", i.namespace, err)
	}
	i.created("serviceaccount", account, client.Delete)
	return account, nil
}

// ensurePermissions creates the Role and the RoleBinding.
func (i *inviter) ensurePermissions(ctx context.Context, workload *v1beta1.ExternalWorkload, account *corev1.ServiceAccount) error {
	rbac := i.clients.core.RbacV1()
	role := invitation.Role(workload, account)
	err := ensure(ctx, i, "role", rbac.Roles(i.namespace), role, func(actual *rbacv1.Role) { actual.Rules = role.Rules })
	if err != nil {
		return err
	}
	binding := invitation.RoleBinding(workload, account)
	return ensure(ctx, i, "rolebinding", rbac.RoleBindings(i.namespace), binding, func(actual *rbacv1.RoleBinding) {
		actual.Subjects, actual.RoleRef = binding.Subjects, binding.RoleRef
	})
}

// resource is a typed client of one kind.
type resource[T any] interface {
	Create(context.Context, *T, metav1.CreateOptions) (*T, error)
	Get(context.Context, string, metav1.GetOptions) (*T, error)
	Update(context.Context, *T, metav1.UpdateOptions) (*T, error)
	Delete(context.Context, string, metav1.DeleteOptions) error
}

// copyable is a pointer to an API object.
type copyable[T any] interface {
	*T
	metav1.Object
	DeepCopy() *T
}

// ensureAttempts is the number of attempts to create or update an object that changes
// concurrently, for example because of the garbage collector after a revocation.
const ensureAttempts = 3

// ensure creates an object, or updates its fields that belong to the invitation.
func ensure[T any, P copyable[T]](ctx context.Context, i *inviter, kind string, client resource[T], desired P, complete func(*T)) error {
	for attempt := 1; ; attempt++ {
		err := ensureOnce(ctx, i, kind, client, desired, complete)
		changed := apierrors.IsConflict(err) || apierrors.IsNotFound(err) || apierrors.IsAlreadyExists(err)
		if !changed || attempt == ensureAttempts {
			return err
		}
	}
}

func ensureOnce[T any, P copyable[T]](ctx context.Context, i *inviter, kind string, client resource[T], desired P, complete func(*T)) error {
	actual, err := client.Get(ctx, desired.GetName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		created, err := client.Create(ctx, (*T)(desired), metav1.CreateOptions{})
		if err != nil {
			return requestFailed("create", kind+"s", i.namespace, err)
		}
		i.created(kind, P(created), client.Delete)
		return nil
	}
	if err != nil {
		return requestFailed("get", kind+"s", i.namespace, err)
	}
	if P(actual).GetLabels()[invitation.KindLabel] != invitation.KindMachine {
		return notOurs(kind, desired.GetName())
	}
	updated := P(actual).DeepCopy()
	P(updated).SetOwnerReferences(desired.GetOwnerReferences())
	complete(updated)
	if reflect.DeepEqual(actual, updated) {
		return nil
	}
	if _, err := client.Update(ctx, updated, metav1.UpdateOptions{}); err != nil {
		return requestFailed("update", kind+"s", i.namespace, err)
	}
	fmt.Fprintf(i.err, "%s/%s configured\n", kind, desired.GetName())
	return nil
}

func notOurs(kind, name string) error {
	return fmt.Errorf("%s/%s exists and belongs to no invitation (it has no label %s); delete it first", kind, name, invitation.KindLabel)
}

// requestToken requests the token of the invitation. The API server may shorten
// its lifetime.
func (i *inviter) requestToken(ctx context.Context, account string) (string, error) {
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: new(int64(i.validFor.Seconds()))}}
	answer, err := i.clients.core.CoreV1().ServiceAccounts(i.namespace).CreateToken(ctx, account, request, metav1.CreateOptions{})
	if err != nil {
		return "", requestFailed("create", "serviceaccounts/token", i.namespace, err)
	}
	return answer.Status.Token, nil
}

// unknownResource reports whether the API server does not have the resource, as opposed
// to the object.
func unknownResource(err error) bool {
	return apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse)
}
