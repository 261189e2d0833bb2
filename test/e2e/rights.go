package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	authenticationv1 "k8s.io/api/authentication/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/generated/clientset/versioned"
)

// accountRights makes some calls with a token of the controller's account: necessary calls
// are permitted, others are forbidden. The tests of the chart check every verb and
// resource.
func accountRights(ctx context.Context, c *cluster) error {
	token, err := c.core.CoreV1().ServiceAccounts(releaseNamespace).CreateToken(ctx, release,
		&authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	config := c.plane.AdminConfig()
	config.CertData, config.KeyData, config.BearerToken = nil, nil, token.Status.Token
	core, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	workloads, err := versioned.NewForConfig(config)
	if err != nil {
		return err
	}
	return expectAnswers(accountCalls(ctx, core, workloads))
}

// expectAnswers makes the calls and checks which are permitted.
func expectAnswers(calls []rightCall) error {
	for _, call := range calls {
		err := call.do()
		switch {
		case call.allowed && err != nil:
			return fmt.Errorf("to %s: %w", call.name, err)
		case !call.allowed && !apierrors.IsForbidden(err):
			return fmt.Errorf("to %s: want Forbidden: %w", call.name, cmp.Or(err, errors.New("it was allowed")))
		}
	}
	return nil
}

// A rightCall is a call and whether the account may make it.
type rightCall struct {
	name    string
	allowed bool
	do      func() error
}

func accountCalls(ctx context.Context, core kubernetes.Interface, workloads versioned.Interface) []rightCall {
	list, get, remove := metav1.ListOptions{}, metav1.GetOptions{}, metav1.DeleteOptions{}
	return []rightCall{
		{"list workloads", true, func() error {
			_, err := workloads.WorkloadV1beta1().ExternalWorkloads("").List(ctx, list)
			return err
		}},
		{"list Services", true, func() error { _, err := core.CoreV1().Services("").List(ctx, list); return err }},
		{"list slices", true, func() error { _, err := core.DiscoveryV1().EndpointSlices("").List(ctx, list); return err }},
		{"get its Lease", true, func() error {
			_, err := core.CoordinationV1().Leases(releaseNamespace).Get(ctx, release, get)
			return err
		}},
		{"delete a workload", false, func() error {
			return workloads.WorkloadV1beta1().ExternalWorkloads(namespace).Delete(ctx, "nobody", remove)
		}},
		{"delete a Service", false, func() error { return core.CoreV1().Services(namespace).Delete(ctx, "nobody", remove) }},
		{"list Secrets", false, func() error { _, err := core.CoreV1().Secrets(releaseNamespace).List(ctx, list); return err }},
		{"list Pods", false, func() error { _, err := core.CoreV1().Pods(releaseNamespace).List(ctx, list); return err }},
		{"get another Lease", false, func() error {
			_, err := core.CoordinationV1().Leases(metav1.NamespaceSystem).Get(ctx, release, get)
			return err
		}},
	}
}

// userRights binds each of the built-in roles view and edit to a user. The chart's roles
// are aggregated to them, so a user who may view or edit Deployments in a namespace may do
// the same with its workloads.
func userRights(ctx context.Context, c *cluster) error {
	for _, role := range []string{"view", "edit"} {
		user := "user-with-" + role
		_, err := c.core.RbacV1().RoleBindings(namespace).Create(ctx, &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: user},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
		}, metav1.CreateOptions{})
		if err != nil {
			return err
		}
		config := c.plane.AdminConfig()
		config.Impersonate = rest.ImpersonationConfig{UserName: user}
		workloads, err := versioned.NewForConfig(config)
		if err != nil {
			return err
		}
		// The API server sees the binding by a watch, a moment later.
		if err := until(ctx, func(ctx context.Context) error {
			_, err := workloads.WorkloadV1beta1().ExternalWorkloads(namespace).List(ctx, metav1.ListOptions{})
			return err
		}); err != nil {
			return fmt.Errorf("with the role %s: %w", role, err)
		}
		if err := expectAnswers(userCalls(ctx, workloads, role == "edit")); err != nil {
			return fmt.Errorf("with the role %s %w", role, err)
		}
	}
	return nil
}

func userCalls(ctx context.Context, workloads versioned.Interface, mayChange bool) []rightCall {
	here := workloads.WorkloadV1beta1().ExternalWorkloads(namespace)
	w := workload("of-a-user", vms[1].address, nil)
	return []rightCall{
		{"list workloads", true, func() error { _, err := here.List(ctx, metav1.ListOptions{}); return err }},
		{"list workloads elsewhere", false, func() error {
			_, err := workloads.WorkloadV1beta1().ExternalWorkloads(releaseNamespace).List(ctx, metav1.ListOptions{})
			return err
		}},
		{"create a workload", mayChange, func() error {
			created, err := here.Create(ctx, w, metav1.CreateOptions{})
			if err == nil {
				w = created
			}
			return err
		}},
		{"write its status", mayChange, func() error {
			w.Status.Conditions = []v1beta1.WorkloadCondition{{Type: v1beta1.WorkloadReady, Status: v1beta1.ConditionFalse}}
			_, err := here.UpdateStatus(ctx, w, metav1.UpdateOptions{})
			return err
		}},
		{"delete it", mayChange, func() error { return here.Delete(ctx, "of-a-user", metav1.DeleteOptions{}) }},
	}
}
