package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	authenticationv1 "k8s.io/api/authentication/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/external-workload/controller/pkg/generated/clientset/versioned"
)

const (
	// managedBy is the default of the chart, which is Linkerd's.
	managedBy    = "linkerd-external-workloads-controller"
	changedValue = "--v=2"
)

// upgradeAndRollBack changes a value, and changes it back. Both replace the Pods,
// and neither touches what is published.
func upgradeAndRollBack(ctx context.Context, c *cluster) error {
	before, err := c.slices(ctx)
	if err != nil {
		return err
	}
	if len(before) == 0 {
		return errors.New("there are no slices to watch over")
	}
	if err := c.helm(ctx, "upgrade", c.chart(), "--reuse-values", "--wait", "--set=log.verbosity=2"); err != nil {
		return err
	}
	if err := c.expectArgument(ctx, true); err != nil {
		return fmt.Errorf("after helm upgrade: %w", err)
	}
	if err := c.helm(ctx, "rollback", "1", "--wait"); err != nil {
		return err
	}
	if err := c.expectArgument(ctx, false); err != nil {
		return fmt.Errorf("after helm rollback: %w", err)
	}
	return c.expectSlices(ctx, before)
}

// expectArgument waits until both Pods run, with the changed value or without.
func (c *cluster) expectArgument(ctx context.Context, want bool) error {
	if err := until(ctx, c.bothReady); err != nil {
		return err
	}
	deployment, err := c.core.AppsV1().Deployments(releaseNamespace).Get(ctx, release, metav1.GetOptions{})
	if err != nil {
		return err
	}
	arguments := deployment.Spec.Template.Spec.Containers[0].Args
	if slices.Contains(arguments, changedValue) != want {
		return fmt.Errorf("the arguments are %v; %s among them: want %t", arguments, changedValue, want)
	}
	return nil
}

// slices are the identities and resource versions of all slices of the
// controller, sorted.
func (c *cluster) slices(ctx context.Context) ([]string, error) {
	list, err := c.core.DiscoveryV1().EndpointSlices(metav1.NamespaceAll).List(ctx,
		metav1.ListOptions{LabelSelector: discoveryv1.LabelManagedBy + "=" + managedBy})
	if err != nil {
		return nil, err
	}
	var found []string
	for _, slice := range list.Items {
		found = append(found, slice.Namespace+"/"+slice.Name+" "+slice.ResourceVersion)
	}
	slices.Sort(found)
	return found, nil
}

func (c *cluster) expectSlices(ctx context.Context, want []string) error {
	have, err := c.slices(ctx)
	if err == nil && !slices.Equal(have, want) {
		err = fmt.Errorf("the slices are %v, want %v", have, want)
	}
	return err
}

// accountRights makes some calls with a token of the controller's own account:
// what it needs is answered, what it does not need is forbidden. The tests of the
// chart ask for every call there is.
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
	for _, call := range accountCalls(ctx, core, workloads) {
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

type accountCall struct {
	name    string
	allowed bool
	do      func() error
}

func accountCalls(ctx context.Context, core kubernetes.Interface, workloads versioned.Interface) []accountCall {
	list, get, remove := metav1.ListOptions{}, metav1.GetOptions{}, metav1.DeleteOptions{}
	return []accountCall{
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

// uninstallChart leaves the CRD, the workloads and the slices, and so the traffic.
func uninstallChart(ctx context.Context, c *cluster) error {
	before, err := c.slices(ctx)
	if err != nil {
		return err
	}
	workloads := c.workloads.WorkloadV1beta1().ExternalWorkloads(metav1.NamespaceAll)
	described, err := workloads.List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	if err := c.helm(ctx, "uninstall", "--wait"); err != nil {
		return err
	}
	if _, err := c.core.AppsV1().Deployments(releaseNamespace).Get(ctx, release, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		return fmt.Errorf("asking for the Deployment: want NotFound: %w", cmp.Or(err, errors.New("it is still there")))
	}
	left, err := workloads.List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("asking for workloads, whose CRD should stay: %w", err)
	}
	if len(left.Items) != len(described.Items) {
		return fmt.Errorf("of %d workloads %d are left", len(described.Items), len(left.Items))
	}
	return errors.Join(c.expectSlices(ctx, before), exampleByName(ctx, c))
}
