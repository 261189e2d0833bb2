package main

import (
	"context"
	"fmt"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/external-workload/controller/test/internal/controlplane"
)

const (
	// seeders is the number of requests in flight during seeding and cleaning.
	seeders = 32
	// newAge is longer than the time for which a workload counts as new: the controller delays
	// the first publication of a new workload for a moment.
	newAge = 3 * time.Second
	// definitionInterval is the interval between checks whether a CRD is in effect.
	definitionInterval = 50 * time.Millisecond
)

// fill creates a shape's Services and workloads.
func (s *stage) fill(ctx context.Context, shape shape) error {
	if err := s.addServices(ctx, shape.services); err != nil {
		return err
	}
	return s.addWorkloads(ctx, shape.total(), shape.workloads)
}

// addServices creates Services up to a number.
func (s *stage) addServices(ctx context.Context, count int) error {
	if count <= s.services {
		return nil
	}
	bar := s.bench.console.bar("creating Services", count-s.services)
	err := each(ctx, seeders, s.services, count, func(ctx context.Context, index int) error {
		defer bar.step()
		_, err := s.core.CoreV1().Services(benchNamespace).Create(ctx, newService(index), metav1.CreateOptions{})
		return err
	})
	if err != nil {
		return fmt.Errorf("creating the Services: %w", err)
	}
	s.services = count
	return nil
}

// addWorkloads creates ready workloads up to a number, perService of them for each
// Service, and waits until none of them counts as new. Meanwhile the CRD has no status
// subresource, so that a single write creates a workload with its status; the objects are
// valid under the real CRD.
func (s *stage) addWorkloads(ctx context.Context, count, perService int) error {
	first := len(s.versions)
	if count <= first {
		return nil
	}
	s.versions = append(s.versions, make([]string, count-first)...)
	bar := s.bench.console.bar("creating workloads", count-first)
	create := func(ctx context.Context, index int) error {
		defer bar.step()
		return s.createReady(ctx, index, index/perService)
	}
	if err := s.define(ctx, lax); err != nil {
		return err
	}
	if err := each(ctx, seeders, first, count, create); err != nil {
		return fmt.Errorf("creating the workloads: %w", err)
	}
	if err := s.define(ctx, func(*apiextensionsv1.CustomResourceDefinition) {}); err != nil {
		return err
	}
	if err := s.waitForStatus(ctx); err != nil {
		return err
	}
	if err := s.waitForWatches(ctx); err != nil {
		return err
	}
	return sleepUntil(ctx, time.Now().Add(newAge))
}

// createReady creates a workload with its status. It retries while the API server still
// drops the status.
func (s *stage) createReady(ctx context.Context, index, group int) error {
	client := s.workloads.WorkloadV1beta1().ExternalWorkloads(benchNamespace)
	object := newWorkload(index, group)
	object.Status = newStatus(true, time.Now())
	for {
		stored, err := client.Create(ctx, object, metav1.CreateOptions{})
		if err != nil {
			return err
		}
		if len(stored.Status.Conditions) > 0 {
			s.versions[index] = stored.ResourceVersion
			return nil
		}
		if err := client.Delete(ctx, object.Name, metav1.DeleteOptions{}); err != nil {
			return err
		}
		if err := sleepUntil(ctx, time.Now().Add(definitionInterval)); err != nil {
			return err
		}
	}
}

// define installs a changed CustomResourceDefinition.
func (s *stage) define(ctx context.Context, change func(*apiextensionsv1.CustomResourceDefinition)) error {
	crd, err := controlplane.CRD()
	if err != nil {
		return err
	}
	change(crd)
	return controlplane.InstallCRD(ctx, s.plane.AdminConfig(), crd)
}

// lax removes the schema and the status subresource.
func lax(crd *apiextensionsv1.CustomResourceDefinition) {
	*crd = *controlplane.Permissive(crd)
	for i := range crd.Spec.Versions {
		crd.Spec.Versions[i].Subresources = nil
	}
}

// waitForStatus waits until the status subresource exists.
func (s *stage) waitForStatus(ctx context.Context) error {
	return retryWhile(ctx, apierrors.IsNotFound, func() error { return s.setReady(ctx, len(s.versions)-1, true, time.Now()) })
}

// waitForWatches waits until the API server serves watches of workloads again. With a
// changed definition it fills its watch cache from etcd again, which takes a minute or more
// with 250,000 workloads, and meanwhile answers watches with 429.
func (s *stage) waitForWatches(ctx context.Context) error {
	client := s.workloads.WorkloadV1beta1().ExternalWorkloads(benchNamespace)
	none := fields.OneTermEqualSelector(metav1.ObjectNameField, "none").String()
	err := retryWhile(ctx, apierrors.IsTooManyRequests, func() error {
		opened, err := client.Watch(ctx, metav1.ListOptions{FieldSelector: none})
		if err == nil {
			opened.Stop()
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("watching the workloads: %w", err)
	}
	return nil
}

// retryWhile repeats a request until its error is not the expected one.
func retryWhile(ctx context.Context, expected func(error) bool, request func() error) error {
	for {
		if err := request(); !expected(err) {
			return err
		}
		if err := sleepUntil(ctx, time.Now().Add(definitionInterval)); err != nil {
			return err
		}
	}
}
