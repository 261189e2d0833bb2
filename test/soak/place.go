package main

import (
	"context"
	"fmt"
	"os"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/external-workload/controller/pkg/generated/clientset/versioned"
	"github.com/external-workload/controller/test/faults"
	"github.com/external-workload/controller/test/internal/controlplane"
	"github.com/external-workload/controller/test/internal/oracle"
)

// namespaces are the namespaces of all objects.
var namespaces = []string{"soak-a", "soak-b", "soak-c"}

const leaseName = "external-workload-controller"

// place has the control plane, the three instances, and the soak's own clients, which the
// faults of proxies do not affect.
type place struct {
	plane     *controlplane.ControlPlane
	kube      kubernetes.Interface
	workloads versioned.Interface
	oracle    *oracle.Cluster
	history   *faults.History
	instances []*faults.Controller
}

func newPlace(ctx context.Context, o options) (_ *place, err error) {
	plane, err := controlplane.Start(ctx, controlplane.Options{})
	if err != nil {
		return nil, err
	}
	p := &place{plane: plane}
	defer func() {
		if err != nil {
			_ = p.stop()
		}
	}()
	config := plane.AdminConfig()
	config.QPS = -1
	// The soak's objects may be invalid.
	config.WarningHandler = rest.NoWarnings{}
	crd, err := controlplane.CRD()
	if err != nil {
		return nil, err
	}
	// The CRD validates nothing, like an older CRD.
	if err := controlplane.InstallCRD(ctx, config, controlplane.Permissive(crd)); err != nil {
		return nil, err
	}
	if p.kube, err = kubernetes.NewForConfig(config); err != nil {
		return nil, err
	}
	if p.workloads, err = versioned.NewForConfig(config); err != nil {
		return nil, err
	}
	if p.oracle, err = oracle.NewCluster(config); err != nil {
		return nil, err
	}
	for _, name := range namespaces {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if _, err := p.kube.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{}); err != nil {
			return nil, fmt.Errorf("creating the namespace %s: %w", name, err)
		}
	}
	if p.history, err = faults.Record(ctx, config, metav1.NamespaceAll); err != nil {
		return nil, err
	}
	return p, p.startInstances(ctx, o)
}

func (p *place) startInstances(ctx context.Context, o options) error {
	fmt.Println("building the controller")
	if err := os.MkdirAll(o.directory, 0o700); err != nil {
		return fmt.Errorf("making the folder for the logs: %w", err)
	}
	binary, err := faults.Build(ctx, o.directory)
	if err != nil {
		return err
	}
	for i, name := range []string{"one", "two", "three"} {
		c, err := faults.NewController(ctx, faults.ControllerOptions{
			Binary: binary, Directory: o.directory, Name: name, Target: p.plane.AdminConfig(),
			Flags: []string{
				"--leader-elect-lease-namespace=" + namespaces[0], "--leader-elect-lease-name=" + leaseName,
				"--leader-elect-lease-duration=4s", "--leader-elect-renew-deadline=3s", "--leader-elect-retry-period=500ms",
			},
			// Dead connections are detected within seconds instead of 45 s.
			Environment: []string{"HTTP2_READ_IDLE_TIMEOUT_SECONDS=3", "HTTP2_PING_TIMEOUT_SECONDS=2"},
		})
		if err != nil {
			return err
		}
		c.Proxy.Seed(o.seed + uint64(i))
		p.instances = append(p.instances, c)
		if err := c.StartReady(ctx); err != nil {
			return err
		}
	}
	return nil
}

// stop ends everything that the place has started.
func (p *place) stop() error {
	for _, c := range p.instances {
		c.Kill()
	}
	return p.plane.Stop()
}
