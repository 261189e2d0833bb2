package hostile

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/generated/clientset/versioned"
	"github.com/external-workload/controller/test/faults"
	"github.com/external-workload/controller/test/internal/controlplane"
	"github.com/external-workload/controller/test/internal/process"
)

const (
	neighbourNamespace = "neighbour"
	tenantNamespace    = "tenant"
	tenantUser         = "mallory"
)

// cluster is a control plane with two tenants and a controller.
type cluster struct {
	*testing.T
	kube       kubernetes.Interface
	workloads  versioned.Interface
	controller *faults.Controller
	memory     *faults.MemoryGroup
	// asTenant is a client with only the tenant's permissions.
	asTenantKube      kubernetes.Interface
	asTenantWorkloads versioned.Interface
}

// newCluster starts the controller in a cgroup with the chart's memory limit.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	if notHere != "" {
		t.Skip("left out: " + notHere)
	}
	plane := controlplane.ForTest(t, controlplane.Options{})
	if err := controlplane.InstallChartCRD(t.Context(), plane.AdminConfig()); err != nil {
		t.Fatal(err)
	}
	c := &cluster{T: t}
	c.kube, c.workloads = c.clients(plane.AdminConfig())
	tenant := plane.AdminConfig()
	tenant.Impersonate = rest.ImpersonationConfig{UserName: tenantUser, Groups: []string{"system:authenticated"}}
	c.asTenantKube, c.asTenantWorkloads = c.clients(tenant)
	for _, namespace := range []string{neighbourNamespace, tenantNamespace} {
		_, err := c.kube.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
		c.must(err)
	}
	c.grantEdit()
	c.startController(plane)
	return c
}

func (c *cluster) must(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

func (c *cluster) clients(config *rest.Config) (kubernetes.Interface, versioned.Interface) {
	c.Helper()
	config.QPS = -1
	kube, err := kubernetes.NewForConfig(config)
	c.must(err)
	workloads, err := versioned.NewForConfig(config)
	c.must(err)
	return kube, workloads
}

// grantEdit gives the tenant the permissions of the role edit in its namespace, including
// those of the chart. The control plane has no controller that aggregates roles.
func (c *cluster) grantEdit() {
	c.Helper()
	all := []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"}
	role := &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Name: "edit"},
		Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"services", "configmaps"}, Verbs: all},
			{APIGroups: []string{v1beta1.GroupVersion.Group}, Resources: []string{"externalworkloads"}, Verbs: all},
			{APIGroups: []string{v1beta1.GroupVersion.Group}, Resources: []string{"externalworkloads/status"}, Verbs: []string{"get", "update", "patch"}},
		},
	}
	_, err := c.kube.RbacV1().Roles(tenantNamespace).Create(c.Context(), role, metav1.CreateOptions{})
	c.must(err)
	_, err = c.kube.RbacV1().RoleBindings(tenantNamespace).Create(c.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "edit"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "edit"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: tenantUser}},
	}, metav1.CreateOptions{})
	c.must(err)
}

// startController starts the program with the flags of the chart.
func (c *cluster) startController(plane *controlplane.ControlPlane) {
	c.Helper()
	options := faults.ControllerOptions{
		Binary: os.Getenv(programVariable), Directory: c.ArtifactDir(), Name: "controller", Target: plane.AdminConfig(),
		Flags: []string{"--leader-elect-lease-namespace=kube-system", "--probe-cluster-network-cidr=" + serviceRange},
	}
	limit, err := faults.ChartMemoryLimit()
	c.must(err)
	if c.memory, err = faults.NewMemoryGroup(limit); err != nil {
		c.Logf("the chart's memory limit is not enforced: no cgroup: %v", err)
	} else {
		options.Prefix = c.memory.Prefix()
		c.Cleanup(func() {
			if err := c.memory.Remove(); err != nil {
				c.Error(err)
			}
		})
	}
	c.controller, err = faults.NewController(c.Context(), options)
	c.must(err)
	c.Cleanup(func() {
		c.controller.Kill()
		if c.Failed() {
			tail, _ := process.Tail(c.controller.Log())
			c.Logf("the end of the controller's log:\n%s", tail)
		}
	})
	c.must(c.controller.StartReady(c.Context()))
}

// eventually waits until a condition holds.
func (c *cluster) eventually(limit time.Duration, what string, holds func() bool) time.Duration {
	c.Helper()
	began := time.Now()
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	for time.Since(began) < limit {
		if holds() {
			return time.Since(began)
		}
		<-ticker.C
	}
	c.Fatalf("not within %s: %s", limit, what)
	return 0
}

// publishedReady reports whether an endpoint of the workload is published ready.
func (c *cluster) publishedReady(ctx context.Context, namespace, name string) bool {
	c.Helper()
	list, err := c.kube.DiscoveryV1().EndpointSlices(namespace).List(ctx, metav1.ListOptions{})
	c.must(err)
	for i := range list.Items {
		for _, endpoint := range list.Items[i].Endpoints {
			if endpoint.TargetRef != nil && endpoint.TargetRef.Name == name && isReady(endpoint) {
				return true
			}
		}
	}
	return false
}

func isReady(endpoint discoveryv1.Endpoint) bool {
	return endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready
}

// createService makes a Service that selects the workloads labelled app=name.
func createService(ctx context.Context, client kubernetes.Interface, namespace, name string) error {
	_, err := client.CoreV1().Services(namespace).Create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.ServiceSpec{
			ClusterIP: corev1.ClusterIPNone, Selector: map[string]string{"app": name},
			Ports: []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromString("http")}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("creating Service %s/%s: %w", namespace, name, err)
	}
	return nil
}

// createWorkload makes a workload with annotations.
func createWorkload(ctx context.Context, client versioned.Interface, namespace, name, app, ip string, port int32, annotations map[string]string) error {
	_, err := client.WorkloadV1beta1().ExternalWorkloads(namespace).Create(ctx, &v1beta1.ExternalWorkload{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": app}, Annotations: annotations},
		Spec: v1beta1.ExternalWorkloadSpec{
			MeshTLS:     v1beta1.MeshTLS{Identity: "spiffe://example.org/" + name, ServerName: name + ".example.org"},
			WorkloadIPs: []v1beta1.WorkloadIP{{IP: ip}},
			Ports:       []v1beta1.PortSpec{{Name: "http", Port: port}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("creating ExternalWorkload %s/%s: %w", namespace, name, err)
	}
	return nil
}
