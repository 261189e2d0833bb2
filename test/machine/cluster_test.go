package machine

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/generated/clientset/versioned"
	"github.com/external-workload/controller/test/faults"
	"github.com/external-workload/controller/test/internal/controlplane"
	"github.com/external-workload/controller/test/internal/process"
)

const namespace = "shop"

// limit is the timeout of each wait.
const limit = time.Minute

const manifest = `
apiVersion: workload.linkerd.io/v1beta1
kind: ExternalWorkload
metadata:
  name: vm-1
  namespace: shop
  labels: {app: web}
  annotations: {external-workload.io/ready: "True"}
spec:
  meshTLS: {identity: vm-1, serverName: vm-1.example.org}
  ports: [{name: http, port: 8080}]
`

// cluster is a control plane with a namespace, and the administrator's clients.
type cluster struct {
	*testing.T
	plane     *controlplane.ControlPlane
	core      kubernetes.Interface
	workloads versioned.Interface
	directory string
}

// newCluster starts a control plane with the CustomResourceDefinition and, if requested, the
// chart's policies for machines.
func newCluster(t *testing.T, withPolicies bool) *cluster {
	t.Helper()
	if notHere != "" {
		t.Skip("left out: " + notHere)
	}
	plane := controlplane.ForTest(t, controlplane.Options{ControllerManager: true})
	if err := controlplane.InstallChartCRD(t.Context(), plane.AdminConfig()); err != nil {
		t.Fatal(err)
	}
	c := &cluster{T: t, plane: plane, directory: t.TempDir()}
	c.core, c.workloads = c.clients(plane.AdminConfig())
	_, err := c.core.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	c.must(err)
	if withPolicies {
		c.installPolicies()
	}
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
	core, err := kubernetes.NewForConfig(config)
	c.must(err)
	workloads, err := versioned.NewForConfig(config)
	c.must(err)
	return core, workloads
}

// installPolicies applies the chart's file unchanged.
func (c *cluster) installPolicies() {
	c.Helper()
	root, err := controlplane.RepositoryRoot()
	c.must(err)
	text, err := os.ReadFile(filepath.Join(root, "charts", "external-workload-controller", "files", "policies", "machines.yaml"))
	c.must(err)
	client := c.core.AdmissionregistrationV1()
	for document := range strings.SplitSeq(string(text), "\n---\n") {
		var policy admissionregistrationv1.ValidatingAdmissionPolicy
		var binding admissionregistrationv1.ValidatingAdmissionPolicyBinding
		if yaml.UnmarshalStrict([]byte(document), &policy) == nil {
			_, err = client.ValidatingAdmissionPolicies().Create(c.Context(), &policy, metav1.CreateOptions{})
		} else {
			c.must(yaml.UnmarshalStrict([]byte(document), &binding))
			_, err = client.ValidatingAdmissionPolicyBindings().Create(c.Context(), &binding, metav1.CreateOptions{})
		}
		c.must(err)
	}
}

// startController starts the controller that publishes slices and writes readiness.
func (c *cluster) startController() {
	c.Helper()
	controller, err := faults.NewController(c.Context(), faults.ControllerOptions{
		Binary: filepath.Join(os.Getenv(programsVariable), controllerName), Directory: c.ArtifactDir(), Name: "controller", Target: c.plane.AdminConfig(),
		Flags: []string{"--leader-elect-lease-namespace=kube-system"},
	})
	c.must(err)
	c.Cleanup(func() {
		controller.Kill()
		if c.Failed() {
			tail, _ := process.Tail(controller.Log())
			c.Logf("the end of the controller's log:\n%s", tail)
		}
	})
	c.must(controller.StartReady(c.Context()))
}

// result is the result of a run of the program.
type result struct {
	code     int
	out, err string
}

// run runs the program with a kubeconfig.
func (c *cluster) run(kubeconfig string, args ...string) result {
	c.Helper()
	ctx, cancel := context.WithTimeout(c.Context(), limit)
	defer cancel()
	command := exec.CommandContext(ctx, filepath.Join(os.Getenv(programsVariable), pluginName), append(args, "--kubeconfig", kubeconfig)...)
	var out, stderr strings.Builder
	command.Stdout, command.Stderr = &out, &stderr
	err := command.Run()
	exit, ended := errors.AsType[*exec.ExitError](err)
	switch {
	case ended:
		return result{exit.ExitCode(), out.String(), stderr.String()}
	case err != nil:
		c.Fatal(err)
	}
	return result{0, out.String(), stderr.String()}
}

// expect runs the program and checks its exit code and for a text in its output.
func (c *cluster) expect(code int, want, kubeconfig string, args ...string) result {
	c.Helper()
	got := c.run(kubeconfig, args...)
	if got.code != code || !strings.Contains(got.out+got.err, want) {
		c.Errorf("%s: exit code %d, want %d; output does not contain %q:\n%s%s", strings.Join(args, " "), got.code, code, want, got.out, got.err)
	}
	return got
}

// file writes a file into the test's folder.
func (c *cluster) file(name, content string) string {
	c.Helper()
	path := filepath.Join(c.directory, name)
	c.must(os.WriteFile(path, []byte(content), 0o600))
	return path
}

// invite invites vm-1 as the administrator and returns the path of the machine's kubeconfig.
func (c *cluster) invite(args ...string) string {
	c.Helper()
	args = append([]string{"invite", "vm-1", "-n", namespace, "-f", c.file("vm-1.yaml", manifest), "--cidr", machineNetwork}, args...)
	got := c.run(c.plane.Kubeconfig(), args...)
	if got.code != 0 {
		c.Fatalf("invite: exit code %d\n%s", got.code, got.err)
	}
	return c.file("vm-1.kubeconfig", got.out)
}

// config returns the client configuration of a kubeconfig.
func (c *cluster) config(kubeconfig string) *rest.Config {
	c.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	c.must(err)
	config.QPS = -1
	return config
}

func (c *cluster) workload(name string) *v1beta1.ExternalWorkload {
	c.Helper()
	workload, err := c.workloads.WorkloadV1beta1().ExternalWorkloads(namespace).Get(c.Context(), name, metav1.GetOptions{})
	c.must(err)
	return workload
}

// eventually waits until a condition holds.
func (c *cluster) eventually(what string, holds func() bool) {
	c.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(limit); !holds(); <-ticker.C {
		if time.Now().After(deadline) {
			c.Fatalf("not within %s: %s", limit, what)
		}
	}
}

// gone reports whether a get found nothing.
func (c *cluster) gone(err error) bool {
	c.Helper()
	if err != nil && !apierrors.IsNotFound(err) {
		c.Fatal(err)
	}
	return err != nil
}
