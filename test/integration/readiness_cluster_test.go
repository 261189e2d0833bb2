package integration

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"github.com/external-workload/controller/controller/endpointslice"
	"github.com/external-workload/controller/controller/readiness"
	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/events"
	"github.com/external-workload/controller/pkg/generated/clientset/versioned"
	"github.com/external-workload/controller/test/internal/controlplane"
)

// readinessCluster is a control plane with a CRD, and a readiness controller in this process.
type readinessCluster struct {
	*controlplane.ControlPlane
	client     versioned.Interface
	controller *readiness.Controller
}

// startReadiness starts everything, with a changed CRD.
func startReadiness(t *testing.T, change func(*apiextensionsv1.CustomResourceDefinition)) *readinessCluster {
	t.Helper()
	cluster := startCluster(t, change)
	cluster.runController(t, unobservedReadiness{})
	return cluster
}

// startCluster starts everything but the controller.
func startCluster(t testing.TB, change func(*apiextensionsv1.CustomResourceDefinition)) *readinessCluster {
	t.Helper()
	cluster := &readinessCluster{ControlPlane: controlplane.ForTest(t, controlplane.Options{})}
	crd, err := controlplane.CRD()
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(crd)
	}
	if err := controlplane.InstallCRD(t.Context(), cluster.AdminConfig(), crd); err != nil {
		t.Fatal(err)
	}
	if cluster.client, err = versioned.NewForConfig(cluster.AdminConfig()); err != nil {
		t.Fatal(err)
	}
	return cluster
}

// runController runs the controller with a changed configuration.
func (c *readinessCluster) runController(t testing.TB, observer readiness.Observer, changes ...func(*readiness.Config)) {
	t.Helper()
	core, err := kubernetes.NewForConfig(c.AdminConfig())
	if err != nil {
		t.Fatal(err)
	}
	informers, err := endpointslice.NewInformers(core, c.client, metav1.NamespaceAll, build.ManagedBy)
	if err != nil {
		t.Fatal(err)
	}
	config := readiness.Config{
		Client:        c.client,
		Workloads:     informers.Workloads,
		Events:        events.Discard{},
		Observer:      observer,
		ProbeLoopback: true, ProbeAllowHost: true,
	}
	for _, change := range changes {
		change(&config)
	}
	c.controller, err = readiness.New(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() {
		if err := c.controller.Run(ctx, 16); err != nil {
			t.Error(err)
		}
	})
	informers.Start(ctx)
	t.Cleanup(func() {
		cancel()
		running.Wait()
		informers.Wait()
	})
}

// installPolicy applies the chart's policy, in the newest API version that the API server
// has, and waits until it is in effect. It skips the test if the API server has none.
func (c *readinessCluster) installPolicy(t *testing.T) {
	t.Helper()
	root, err := controlplane.RepositoryRoot()
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := os.ReadFile(filepath.Join(root, "charts", "external-workload-controller", "files", "policies", "declared-readiness.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	version := c.policyVersion(t)
	if version == "" {
		t.Skip("left out: the API server has no MutatingAdmissionPolicy")
	}
	c.kubectl(t, strings.ReplaceAll(string(manifest), "admissionregistration.k8s.io/v1\n", version+"\n"), "apply", "-f", "-")
	example := fmt.Sprintf(documentedWorkload, "canary", "", "True")
	waitUntilTrue(t, "the policy is followed", func() (bool, string) {
		// At first the API server refuses every workload: the policy does not have the schema yet.
		output, err := c.tryKubectl(t, example, "create", "--dry-run=server", "-o", "yaml", "-f", "-")
		return err == nil && strings.Contains(output, v1beta1.InlineReadyAnnotation), output
	})
}

// policyVersion returns the newest API version of MutatingAdmissionPolicy on the API server,
// or empty if there is none.
func (c *readinessCluster) policyVersion(t *testing.T) string {
	t.Helper()
	for _, version := range []string{"v1", "v1beta1", "v1alpha1"} {
		version = "admissionregistration.k8s.io/" + version
		output, err := c.tryKubectl(t, "", "get", "--raw", "/apis/"+version)
		if err == nil && strings.Contains(output, `"mutatingadmissionpolicies"`) {
			return version
		}
	}
	return ""
}

func (c *readinessCluster) kubectl(t *testing.T, input string, arguments ...string) {
	t.Helper()
	if output, err := c.tryKubectl(t, input, arguments...); err != nil {
		t.Fatalf("kubectl %v: %v\n%s", arguments, err, output)
	}
}

func (c *readinessCluster) tryKubectl(t *testing.T, input string, arguments ...string) (string, error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), c.Kubectl(), append([]string{"--kubeconfig", c.Kubeconfig()}, arguments...)...)
	command.Stdin = strings.NewReader(input)
	output, err := command.CombinedOutput()
	return string(output), err
}

func (c *readinessCluster) create(t *testing.T, created *v1beta1.ExternalWorkload) types.UID {
	t.Helper()
	created, err := c.client.WorkloadV1beta1().ExternalWorkloads("default").Create(t.Context(), created, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return created.UID
}

func (c *readinessCluster) get(t *testing.T, name string) *v1beta1.ExternalWorkload {
	t.Helper()
	got, err := c.client.WorkloadV1beta1().ExternalWorkloads("default").Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// waitFor waits until one of the workload's conditions begins with a text, or, if the text
// is empty, until it has no condition.
func (c *readinessCluster) waitFor(t *testing.T, name, want string) {
	t.Helper()
	waitUntilTrue(t, fmt.Sprintf("%s has %q", name, want), func() (bool, string) {
		conditions := c.get(t, name).Status.Conditions
		var all []string
		for _, condition := range conditions {
			text := fmt.Sprintf("%s %s %s: %s", condition.Type, condition.Status, condition.Reason, condition.Message)
			if want != "" && strings.HasPrefix(text, want) {
				return true, ""
			}
			all = append(all, text)
		}
		return want == "" && len(conditions) == 0, strings.Join(all, "; ")
	})
}

func waitUntilTrue(t testing.TB, what string, is func() (bool, string)) {
	t.Helper()
	last := ""
	err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, 30*time.Second, true, func(context.Context) (done bool, err error) {
		done, last = is()
		return done, nil
	})
	if err != nil {
		t.Fatalf("waiting until %s: %v; last seen: %s", what, err, last)
	}
}

func readinessWorkload(name string, annotations map[string]string) *v1beta1.ExternalWorkload {
	return &v1beta1.ExternalWorkload{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default", Annotations: annotations},
		Spec: v1beta1.ExternalWorkloadSpec{
			MeshTLS:     v1beta1.MeshTLS{Identity: "spiffe://example.org/vm", ServerName: "vm.example.org"},
			WorkloadIPs: []v1beta1.WorkloadIP{{IP: "192.0.2.10"}},
			Ports:       []v1beta1.PortSpec{{Name: "http", Port: 80}},
		},
	}
}

// makeDefinitionLax removes every rule from the CRD that Linkerd's CRD does not have: lists
// are atomic, and any string is an address.
func makeDefinitionLax(crd *apiextensionsv1.CustomResourceDefinition) {
	for i := range crd.Spec.Versions {
		loosenSchema(crd.Spec.Versions[i].Schema.OpenAPIV3Schema)
	}
}

func loosenSchema(schema *apiextensionsv1.JSONSchemaProps) {
	schema.XValidations, schema.XListType, schema.XListMapKeys = nil, nil, nil
	schema.MaxItems, schema.Pattern = nil, ""
	for name, property := range schema.Properties {
		loosenSchema(&property)
		schema.Properties[name] = property
	}
	if schema.Items != nil && schema.Items.Schema != nil {
		loosenSchema(schema.Items.Schema)
	}
}

// unobservedReadiness ignores all observations.
type unobservedReadiness struct{}

func (unobservedReadiness) Reconciled(string, string, time.Duration)            {}
func (unobservedReadiness) PanicRecovered(string)                               {}
func (unobservedReadiness) Probed(string, string, time.Duration, time.Duration) {}
func (unobservedReadiness) SetWorkloads(string, string, int)                    {}
func (unobservedReadiness) StatusWritten(string)                                {}
func (unobservedReadiness) Failed(string, string)                               {}
func (unobservedReadiness) ReadyOverwritten()                                   {}
func (unobservedReadiness) SetHold(bool)                                        {}
func (unobservedReadiness) WorkloadExpired()                                    {}
func (unobservedReadiness) AnnotationRejected(string)                           {}
