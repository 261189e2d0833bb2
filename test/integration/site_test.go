package integration

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/external-workload/controller/controller/endpointslice"
	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/generated/clientset/versioned"
	"github.com/external-workload/controller/test/internal/controlplane"
)

// site is a namespace of a control plane with a controller in this process.
type site struct {
	t         testing.TB
	plane     *controlplane.ControlPlane
	core      kubernetes.Interface
	workloads versioned.Interface
	namespace string
	// watched is the namespace that the controller watches; empty for all.
	watched string

	*publications
	stop func()
}

// newSite creates a namespace and runs a controller for it.
func newSite(t testing.TB, plane *controlplane.ControlPlane) *site {
	t.Helper()
	s := newIdleSite(t, plane)
	s.start()
	t.Cleanup(func() { s.stop() })
	return s
}

// newIdleSite is newSite without the controller.
func newIdleSite(t testing.TB, plane *controlplane.ControlPlane) *site {
	t.Helper()
	binary := rest.CopyConfig(plane.AdminConfig())
	binary.ContentType = "application/vnd.kubernetes.protobuf"
	binary.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	core, err := kubernetes.NewForConfig(binary)
	if err != nil {
		t.Fatal(err)
	}
	workloads, err := versioned.NewForConfig(plane.AdminConfig())
	if err != nil {
		t.Fatal(err)
	}
	namespace, err := core.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "site-"},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return &site{t: t, plane: plane, core: core, workloads: workloads, namespace: namespace.Name, watched: namespace.Name, stop: func() {}}
}

// start runs a new controller and waits until its caches are filled.
func (s *site) start() {
	s.t.Helper()
	informers, err := endpointslice.NewInformers(s.core, s.workloads, s.watched, build.ManagedBy)
	if err != nil {
		s.t.Fatal(err)
	}
	s.publications = &publications{observed: map[string]bool{}}
	controller, err := endpointslice.New(endpointslice.Config{
		Client: s.core.DiscoveryV1(), Informers: []*endpointslice.Informers{informers},
		Events: s.publications, Observer: s.publications,
		ManagedBy: build.ManagedBy, FieldManager: "integration", MaxEndpoints: 100,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.t.Context()))
	informers.Start(ctx)
	var running sync.WaitGroup
	running.Go(func() {
		if err := controller.Run(ctx, 8); err != nil {
			s.t.Error(err)
		}
	})
	s.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
		informers.Wait()
	})
	s.eventually("the caches are filled", func() (bool, string) {
		err := controller.Synced()
		return err == nil, fmt.Sprint(err)
	})
}

func (s *site) eventually(what string, is func() (bool, string)) {
	s.t.Helper()
	waitUntilTrue(s.t, what, is)
}

// key puts a name into the site's namespace.
func (s *site) key(name string) string { return s.namespace + "/" + name }

// newService makes a Service like internal/build, without the fields that the API server
// sets.
func (s *site) newService(name string, options ...build.ServiceOption) *corev1.Service {
	service := build.Service(s.key(name), options...)
	service.UID, service.ResourceVersion = "", ""
	if service.Spec.ClusterIP != corev1.ClusterIPNone {
		service.Spec.ClusterIP = ""
	}
	if len(service.Spec.IPFamilies) == 2 {
		service.Spec.IPFamilyPolicy = new(corev1.IPFamilyPolicyRequireDualStack)
	}
	return service
}

func (s *site) create(service *corev1.Service) *corev1.Service {
	s.t.Helper()
	created, err := s.core.CoreV1().Services(s.namespace).Create(s.t.Context(), service, metav1.CreateOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	return created
}

// needTraffic skips the test if the API server does not know the trafficDistribution and
// refuses a Service with it.
func (s *site) needTraffic(distribution string) {
	s.t.Helper()
	service := s.newService("needs-traffic", build.Traffic(distribution))
	_, err := s.core.CoreV1().Services(s.namespace).Create(s.t.Context(), service, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if apierrors.IsInvalid(err) {
		s.t.Skipf("left out: the API server has no trafficDistribution %s", distribution)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// service creates a Service.
func (s *site) service(name string, options ...build.ServiceOption) *corev1.Service {
	s.t.Helper()
	return s.create(s.newService(name, options...))
}

// workload creates a workload and its status like internal/build.
func (s *site) workload(name string, options ...build.WorkloadOption) *v1beta1.ExternalWorkload {
	s.t.Helper()
	workload := build.Workload(s.key(name), options...)
	workload.UID, workload.ResourceVersion = "", ""
	client := s.workloads.WorkloadV1beta1().ExternalWorkloads(s.namespace)
	created, err := client.Create(s.t.Context(), workload, metav1.CreateOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	created.Status = workload.Status
	if created, err = client.UpdateStatus(s.t.Context(), created, metav1.UpdateOptions{}); err != nil {
		s.t.Fatal(err)
	}
	return created
}

// patchStatus replaces a workload's conditions.
func (s *site) patchStatus(name, conditions string) {
	s.t.Helper()
	_, err := s.workloads.WorkloadV1beta1().ExternalWorkloads(s.namespace).Patch(s.t.Context(), name, types.MergePatchType,
		[]byte(`{"status":{"conditions":`+conditions+`}}`), metav1.PatchOptions{}, "status")
	if err != nil {
		s.t.Fatal(err)
	}
}

// setReady sets the condition Ready of a workload.
func (s *site) setReady(name string, ready bool) {
	s.t.Helper()
	status := map[bool]string{true: "True", false: "False"}[ready]
	s.patchStatus(name, fmt.Sprintf(`[{"type":"Ready","status":%q}]`, status))
}

// slices returns all slices of the site.
func (s *site) slices() []discoveryv1.EndpointSlice {
	s.t.Helper()
	list, err := s.core.DiscoveryV1().EndpointSlices(s.namespace).List(s.t.Context(), metav1.ListOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	return list.Items
}

// slicesOf returns the slices of one Service.
func (s *site) slicesOf(service string) []discoveryv1.EndpointSlice {
	s.t.Helper()
	return slices.DeleteFunc(s.slices(), func(slice discoveryv1.EndpointSlice) bool {
		return slice.Labels[discoveryv1.LabelServiceName] != service
	})
}

// sliceWrites counts the successful writes of slices since an earlier count.
func (s *site) sliceWrites(since controlplane.Requests) int {
	s.t.Helper()
	return s.requests().Since(since).Writes("discovery.k8s.io", "endpointslices")
}

// mustHaveWritten fails the test unless there was exactly this number of writes of slices
// since an earlier count. It waits, because the API server counts a write only after its
// answer.
func (s *site) mustHaveWritten(since controlplane.Requests, want int, what string) {
	s.t.Helper()
	got := 0
	s.eventually("the API server counts the writes for "+what, func() (bool, string) {
		got = s.sliceWrites(since)
		return got >= want, fmt.Sprintf("%d so far, want %d", got, want)
	})
	if got > want {
		s.t.Errorf("%s took %d writes, want %d", what, got, want)
	}
}

func (s *site) requests() controlplane.Requests {
	s.t.Helper()
	requests, err := s.plane.Requests(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return requests
}

// within returns the site for a part of its test.
func (s *site) within(t testing.TB) *site {
	part := *s
	part.t = t
	return &part
}
