package main

import (
	"context"
	"fmt"
	"path/filepath"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	release          = "external-workload-controller"
	releaseNamespace = "external-workloads"
)

// helm runs Helm for the release. The chart, if given, follows the release's name.
func (c *cluster) helm(ctx context.Context, verb string, arguments ...string) error {
	arguments = append([]string{verb, release}, arguments...)
	_, err := c.command(ctx, c.bin("helm"), append(arguments, "--namespace="+releaseNamespace, "--timeout=90s")...)
	return err
}

func (c *cluster) chart() string {
	return filepath.Join(c.repository, "charts", "external-workload-controller")
}

// installChart installs the repository's chart and image, with an account that may read the
// metrics.
func installChart(ctx context.Context, c *cluster) error {
	err := c.helm(ctx, "install", c.chart(), "--create-namespace", "--wait", "--set=image.tag=e2e,image.pullPolicy=Never",
		fmt.Sprintf(`--set-json=metrics.readers=[{"kind": "ServiceAccount", "name": %q, "namespace": %q}]`, reader, monitoring))
	if err != nil {
		return err
	}
	return until(ctx, c.bothReady)
}

// bothReady checks that exactly two Pods of the controller exist, and that both are ready.
func (c *cluster) bothReady(ctx context.Context) error {
	deployment, err := c.core.AppsV1().Deployments(releaseNamespace).Get(ctx, release, metav1.GetOptions{})
	if err != nil {
		return err
	}
	s := deployment.Status
	if s.ObservedGeneration < deployment.Generation || s.ReadyReplicas != 2 || s.UpdatedReplicas != 2 || s.Replicas != 2 {
		return fmt.Errorf("the Deployment has %d Pods, %d new, %d ready; want 2 of each", s.Replicas, s.UpdatedReplicas, s.ReadyReplicas)
	}
	return nil
}

func helmTest(ctx context.Context, c *cluster) error { return c.helm(ctx, "test") }
