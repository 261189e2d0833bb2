package traefik

import (
	"net"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	gatewayclient "sigs.k8s.io/gateway-api/pkg/client/clientset/versioned"

	"github.com/external-workload/controller/pkg/generated/clientset/versioned"
	"github.com/external-workload/controller/test/faults"
	"github.com/external-workload/controller/test/internal/controlplane"
	"github.com/external-workload/controller/test/internal/process"
)

const (
	namespace = "shop"
	loopback  = "127.0.0.1"
	portName  = "http"
	// webPort is the port of Traefik's clients. The Gateways of the conformance tests have it
	// too, and Traefik accepts only Gateways whose ports are its own.
	webPort = 80

	// limit is the timeout of each wait.
	limit = time.Minute
)

// web is the address of Traefik.
var web = net.JoinHostPort(loopback, strconv.Itoa(webPort))

// cluster is a control plane with the controller and Traefik.
type cluster struct {
	*testing.T
	plane     *controlplane.ControlPlane
	kube      kubernetes.Interface
	workloads versioned.Interface
	gateways  gatewayclient.Interface
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	if notHere != "" {
		t.Skip("left out: " + notHere)
	}
	c := &cluster{T: t, plane: controlplane.ForTest(t, controlplane.Options{})}
	c.must(controlplane.InstallChartCRD(t.Context(), c.plane.AdminConfig()))
	var err error
	c.kube, err = kubernetes.NewForConfig(c.plane.AdminConfig())
	c.must(err)
	c.workloads, err = versioned.NewForConfig(c.plane.AdminConfig())
	c.must(err)
	_, err = c.kube.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	c.must(err)
	c.installGatewayAPI()
	c.startController()
	c.startTraefik()
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

func (c *cluster) startController() {
	c.Helper()
	controller, err := faults.NewController(c.Context(), faults.ControllerOptions{
		Binary: program(controllerName), Directory: c.ArtifactDir(), Name: "controller", Target: c.plane.AdminConfig(),
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
func (c *cluster) startTraefik() {
	c.Helper()
	user, err := c.plane.NewUser(traefikName)
	c.must(err)
	c.grant()
	api := c.freeAddress()
	log := filepath.Join(c.ArtifactDir(), traefikName+".log")
	started, err := process.Start(c.Context(), process.Spec{
		Name: traefikName,
		Command: []string{
			program(traefikName),
			"--providers.kubernetesingress=true",
			"--providers.kubernetesgateway=true",
			"--providers.kubernetesgateway.statusaddress.ip=" + loopback,
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
}

func (c *cluster) freeAddress() string {
	c.Helper()
	port, err := controlplane.FreePort(loopback)
	c.must(err)
	return net.JoinHostPort(loopback, strconv.Itoa(port))
}

// eventually waits until a condition holds.
func (c *cluster) eventually(what string, holds func() bool) {
	c.Helper()
	waitFor(c.T, what, holds)
}

func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(limit); !holds(); <-ticker.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", limit, what)
		}
	}
}
