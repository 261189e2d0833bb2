package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"

	"github.com/external-workload/controller/pkg/generated/clientset/versioned"
	"github.com/external-workload/controller/test/internal/controlplane"
)

// A stage is a new control plane with one namespace, so that earlier measurements do not
// affect it.
type stage struct {
	bench     *bench
	plane     *controlplane.ControlPlane
	core      kubernetes.Interface
	workloads versioned.Interface
	// watching has its own connection. On the writers' connection, the API server would
	// send events behind the answers to some sixty requests, lag by seconds and close the
	// watch: the measurement would measure itself.
	watching kubernetes.Interface
	// versions are the resourceVersions of the workloads by index.
	versions []string
	services int
	// runs is the number of starts of the controller.
	runs int
}

func newStage(ctx context.Context, b *bench) (*stage, error) {
	// The controller ends before the API server does, also on Ctrl-C.
	plane, err := controlplane.Start(context.WithoutCancel(ctx), controlplane.Options{})
	if err != nil {
		return nil, err
	}
	s := &stage{bench: b, plane: plane}
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(err, plane.Stop())
	}
	return s, nil
}

// prepare creates the clients and the namespace.
func (s *stage) prepare(ctx context.Context) error {
	config := s.plane.AdminConfig()
	var err error
	if s.workloads, err = versioned.NewForConfig(config); err != nil {
		return err
	}
	config.ContentType = runtime.ContentTypeProtobuf
	if s.core, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	// client-go shares connections between clients unless they have their own dialer.
	config.Dial = (&net.Dialer{}).DialContext
	if s.watching, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: benchNamespace}}
	_, err = s.core.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{})
	return err
}

// each calls do concurrently for every index from first up to but not including end.
func each(ctx context.Context, workers, first, end int, do func(ctx context.Context, index int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	indexes := make(chan int)
	group.Go(func() error {
		defer close(indexes)
		for index := first; index < end; index++ {
			select {
			case indexes <- index:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return nil
	})
	for range workers {
		group.Go(func() error {
			for index := range indexes {
				if err := do(ctx, index); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// setReady writes a workload's status. Calls for one workload must not overlap.
func (s *stage) setReady(ctx context.Context, index int, ready bool, now time.Time) error {
	object := newWorkload(index, 0) // the API server reads only its status
	object.ResourceVersion = s.versions[index]
	object.Status = newStatus(ready, now)
	stored, err := s.workloads.WorkloadV1beta1().ExternalWorkloads(benchNamespace).UpdateStatus(ctx, object, metav1.UpdateOptions{})
	if err != nil {
		return fmt.Errorf("writing the status of ExternalWorkload %s: %w", object.Name, err)
	}
	s.versions[index] = stored.ResourceVersion
	return nil
}

// slices lists the published slices.
func (s *stage) slices(ctx context.Context) ([]discoveryv1.EndpointSlice, error) {
	list, err := s.core.DiscoveryV1().EndpointSlices(benchNamespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing the EndpointSlices: %w", err)
	}
	return list.Items, nil
}

// withdraw deletes all published slices.
func (s *stage) withdraw(ctx context.Context) error {
	stand, err := s.slices(ctx)
	if err != nil {
		return err
	}
	return each(ctx, seeders, 0, len(stand), func(ctx context.Context, index int) error {
		return s.core.DiscoveryV1().EndpointSlices(benchNamespace).Delete(ctx, stand[index].Name, metav1.DeleteOptions{})
	})
}

// sliceWrites counts the writes of EndpointSlices since the API server started.
func (s *stage) sliceWrites(ctx context.Context) (int, error) {
	requests, err := s.plane.Requests(ctx)
	if err != nil {
		return 0, err
	}
	return requests.Writes(discoveryv1.GroupName, "endpointslices"), nil
}
