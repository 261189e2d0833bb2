package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// troubleIsSeen makes three mistakes: a quota that refuses slices, a workload without the
// Service's port, and an invalid annotation. Prometheus sees each of them, and the alerts
// become pending. Then the mistakes are corrected, and everything is published.
func troubleIsSeen(ctx context.Context, c *cluster) error {
	const service = "troubled"
	quotas := c.core.CoreV1().ResourceQuotas(namespace)
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "no-slices"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"count/endpointslices.discovery.k8s.io": resource.MustParse("0")}},
	}
	if _, err := quotas.Create(ctx, quota, metav1.CreateOptions{}); err != nil {
		return err
	}
	if _, err := c.createService(ctx, service, nil); err != nil {
		return err
	}
	labels := map[string]string{"app": service}
	portless := workload("portless", vms[2].address, labels)
	portless.Spec.Ports[0].Name = "other"
	vague := workload("vague", "203.0.113.200", nil)
	vague.Annotations = map[string]string{v1beta1.ReadyAnnotation: "perhaps"}
	if err := errors.Join(
		c.createWorkload(ctx, workload("published-late", vms[1].address, labels)),
		c.createWorkload(ctx, portless),
		c.create(ctx, vague),
	); err != nil {
		return err
	}
	if err := c.waitSeries(ctx,
		`external_workload_errors_total{reason="QuotaExceeded"} > 0`,
		`count_over_time((external_workload_skipped{reason="NoMatchingPort"} == 1)[10s:1s]) == 10`,
		`external_workload_annotation_rejections_total > 0`,
		`ALERTS{alertname="ExternalWorkloadNotPublishing", alertstate="pending"}`,
		`ALERTS{alertname="ExternalWorkloadSkipped", alertstate="pending"}`,
	); err != nil {
		return err
	}
	workloads := c.workloads.WorkloadV1beta1().ExternalWorkloads(namespace)
	return errors.Join(
		quotas.Delete(ctx, quota.Name, metav1.DeleteOptions{}),
		workloads.Delete(ctx, portless.Name, metav1.DeleteOptions{}),
		workloads.Delete(ctx, vague.Name, metav1.DeleteOptions{}),
		c.waitPublished(ctx, service, []string{vms[1].address}),
	)
}

// waitSeries waits until each of the queries has a series at the same time.
func (c *cluster) waitSeries(ctx context.Context, queries ...string) error {
	return until(ctx, func(ctx context.Context) error {
		for _, query := range queries {
			found, err := vector(ctx, query, time.Time{})
			if err != nil {
				return err
			}
			if len(found) == 0 {
				return fmt.Errorf("%s has no series", query)
			}
		}
		return nil
	})
}
