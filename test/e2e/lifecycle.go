package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// managedBy is the chart's default, which equals Linkerd's value.
	managedBy    = "linkerd-external-workloads-controller"
	changedValue = "--v=2"
)

// upgradeAndRollBack changes a value and rolls back. Both replace the Pods, and neither
// changes a slice.
func upgradeAndRollBack(ctx context.Context, c *cluster) error {
	before, err := c.slices(ctx)
	if err != nil {
		return err
	}
	if len(before) == 0 {
		return errors.New("there are no slices to compare")
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

// expectArgument waits until both Pods run with or without the changed value.
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

// slices returns the UIDs and resourceVersions of all the controller's slices, sorted.
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

// uninstallChart keeps the CRD, the workloads and the slices, and so the traffic.
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
