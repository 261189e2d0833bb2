package traefik

import (
	"net"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/external-workload/controller/pkg/generated/clientset/versioned"
	"github.com/external-workload/controller/test/faults"
	"github.com/external-workload/controller/test/internal/controlplane"
	"github.com/external-workload/controller/test/internal/process"
)

const (
	namespace = "shop"
	loopback  = "127.0.0.1"
	portName  = "http"

	// limit is the timeout of each wait.
	limit = time.Minute
)

// cluster is a control plane with the controller and Traefik.
type cluster struct {
	*testing.T
	kube      kubernetes.Interface
	workloads versioned.Interface
	// web is the address of Traefik.
	web string
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	if notHere != "" {
		t.Skip("left out: " + notHere)
	}
	plane := controlplane.ForTest(t, controlplane.Options{})
	c := &cluster{T: t}
	c.must(controlplane.InstallChartCRD(t.Context(), plane.AdminConfig()))
	config := plane.AdminConfig()
	config.QPS = -1
	var err error
	c.kube, err = kubernetes.NewForConfig(config)
	c.must(err)
	c.workloads, err = versioned.NewForConfig(config)
	c.must(err)
	_, err = c.kube.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	c.must(err)
	c.startController(plane.AdminConfig())
	c.startTraefik(plane)
	return c
}

// on returns the cluster for a subtest.
func (c *cluster) on(t *testing.T) *cluster {
	inner := *c
	inner.T = t
	return &inner
}

func (c *cluster) must(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

func (c *cluster) startController(target *rest.Config) {
	c.Helper()
	controller, err := faults.NewController(c.Context(), faults.ControllerOptions{
		Binary: program(controllerName), Directory: c.ArtifactDir(), Name: "controller", Target: target,
		Flags: []string{"--leader-elect=false"},
	})
	c.must(err)
	c.Cleanup(func() {
		controller.Kill()
		c.logTail(controllerName, controller.Log())
	})
	c.must(controller.StartReady(c.Context()))
}

func (c *cluster) logTail(name, log string) {
	if c.Failed() {
		tail, _ := process.Tail(log)
		c.Logf("the end of the log of %s:\n%s", name, tail)
	}
}

// startTraefik starts Traefik with its defaults and the permissions of its chart.
func (c *cluster) startTraefik(plane *controlplane.ControlPlane) {
	c.Helper()
	user, err := plane.NewUser(traefikName)
	c.must(err)
	c.grant()
	web, api := c.freeAddress(), c.freeAddress()
	log := filepath.Join(c.ArtifactDir(), traefikName+".log")
	started, err := process.Start(c.Context(), process.Spec{
		Name: traefikName,
		Command: []string{
			program(traefikName),
			"--providers.kubernetesingress=true",
			"--entrypoints.web.address=" + web,
			"--entrypoints.traefik.address=" + api,
			"--ping=true",
			"--log.level=INFO",
			"--log.nocolor=true",
			"--global.checknewversion=false",
			"--global.sendanonymoususage=false",
		},
		Environment: []string{"KUBECONFIG=" + user.Kubeconfig},
		Log:         log,
		Ready:       controlplane.Healthy("http://" + api + "/ping"),
	})
	c.must(err)
	c.Cleanup(func() {
		started.Kill()
		c.logTail(traefikName, log)
	})
	c.web = web
}

// grant lets Traefik read what it watches.
func (c *cluster) grant() {
	c.Helper()
	read := []string{"get", "list", "watch"}
	_, err := c.kube.RbacV1().ClusterRoles().Create(c.Context(), &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: traefikName},
		Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"services", "secrets", "nodes"}, Verbs: read},
			{APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}, Verbs: read},
			{APIGroups: []string{networkingv1.GroupName}, Resources: []string{"ingresses", "ingressclasses"}, Verbs: read},
		},
	}, metav1.CreateOptions{})
	c.must(err)
	_, err = c.kube.RbacV1().ClusterRoleBindings().Create(c.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: traefikName},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: traefikName},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: traefikName}},
	}, metav1.CreateOptions{})
	c.must(err)
}

func (c *cluster) freeAddress() string {
	c.Helper()
	port, err := controlplane.FreePort(loopback)
	c.must(err)
	return net.JoinHostPort(loopback, strconv.Itoa(port))
}

// expose creates a Service and an Ingress for the host of the same name. The Service selects
// the label app, unless the test writes its slices.
func (c *cluster) expose(name string, selects bool, annotations map[string]string) {
	c.Helper()
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: annotations},
		Spec: corev1.ServiceSpec{
			Ports: []corev1.ServicePort{{Name: portName, Port: 80, TargetPort: intstr.FromString(portName)}},
		},
	}
	if selects {
		service.Spec.Selector = map[string]string{"app": name}
	}
	_, err := c.kube.CoreV1().Services(namespace).Create(c.Context(), service, metav1.CreateOptions{})
	c.must(err)
	prefix := networkingv1.PathTypePrefix
	_, err = c.kube.NetworkingV1().Ingresses(namespace).Create(c.Context(), &networkingv1.Ingress{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: networkingv1.IngressSpec{Rules: []networkingv1.IngressRule{{
			Host: name,
			IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{
				Paths: []networkingv1.HTTPIngressPath{{
					Path: "/", PathType: &prefix,
					Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{
						Name: name, Port: networkingv1.ServiceBackendPort{Name: portName},
					}},
				}},
			}},
		}}},
	}, metav1.CreateOptions{})
	c.must(err)
}

// eventually waits until a condition holds.
func (c *cluster) eventually(what string, holds func() bool) {
	c.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(limit); !holds(); <-ticker.C {
		if time.Now().After(deadline) {
			c.Fatalf("not within %s: %s", limit, what)
		}
	}
}
