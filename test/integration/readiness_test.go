package integration

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"

	"github.com/external-workload/controller/controller/readiness"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/generated/clientset/versioned"
	"github.com/external-workload/controller/pkg/generated/informers/externalversions"
	"github.com/external-workload/controller/test/controlplane"
)

// documentedWorkload has the form of the example in Linkerd's reference: with
// a Ready condition in a status that the API server drops.
const documentedWorkload = `
apiVersion: workload.linkerd.io/v1beta1
kind: ExternalWorkload
metadata:
  name: %s
  namespace: default
  labels: {location: vm, workload_name: external-workload}
  annotations: {%s}
spec:
  meshTLS: {identity: "spiffe://root.linkerd.cluster.local/external-workload", serverName: external-workload.cluster.local}
  workloadIPs: [{ip: 193.1.4.11}]
  ports: [{port: 80, name: http}, {port: 9980, name: admin}]
status:
  conditions: [{type: Ready, status: "%s"}]
`

// readinessCluster is a control plane with the policy, a definition of
// ExternalWorkloads, and the readiness controller of this process.
type readinessCluster struct {
	*controlplane.ControlPlane
	client     versioned.Interface
	controller *readiness.Controller
}

func TestReadiness(t *testing.T) {
	for name, change := range map[string]func(*apiextensionsv1.CustomResourceDefinition){
		"under our definition": func(*apiextensionsv1.CustomResourceDefinition) {},
		"under a lax one":      makeDefinitionLax,
	} {
		t.Run(name, func(t *testing.T) {
			cluster := startReadiness(t, change)
			t.Run("the documented example becomes ready", cluster.testDocumentedExample)
			t.Run("an inline status is declared when it says something new", cluster.testInlineStatus)
			t.Run("the same holds for server-side apply", cluster.testServerSideApply)
			t.Run("a probe follows its listener", cluster.testProbe)
			t.Run("conditions of others survive", cluster.testOthers)
			t.Run("a bad annotation is said and repaired", cluster.testBadAnnotation)
			t.Run("a report is written and cleared", cluster.testReport)
			t.Run("workloads without an annotation are left alone", cluster.testLeftAlone)
		})
	}
}

// TestStatusOfAnObjectThatIsInvalidNow has an object that was stored before
// the strict definition came: its status must still be written.
func TestStatusOfAnObjectThatIsInvalidNow(t *testing.T) {
	cluster := startReadiness(t, makeDefinitionLax)
	bad := readinessWorkload("bad", nil)
	bad.Spec.WorkloadIPs = []v1beta1.WorkloadIP{{IP: "127.0.0.1"}, {IP: "127.0.0.1"}}
	bad.Spec.Ports = append(bad.Spec.Ports, bad.Spec.Ports...)
	uid := cluster.create(t, bad)
	crd, err := controlplane.CRD()
	if err != nil {
		t.Fatal(err)
	}
	if err := controlplane.InstallCRD(t.Context(), cluster.AdminConfig(), crd); err != nil {
		t.Fatal(err)
	}
	cluster.controller.Report(cache.NewObjectName("default", "bad"), uid, []readiness.Problem{{Reason: "InvalidAddress", Message: "address 127.0.0.1 is loopback"}})
	cluster.waitFor(t, "bad", "Accepted False InvalidAddress")
}

func (c *readinessCluster) testDocumentedExample(t *testing.T) {
	c.kubectl(t, fmt.Sprintf(documentedWorkload, "documented", "", "True"), "apply", "-f", "-")
	begin := time.Now()
	c.waitFor(t, "documented", "Ready True Declared")
	if took := time.Since(begin); took > time.Second {
		t.Errorf("it became ready %s after kubectl returned, want within a second", took)
	}
}

func (c *readinessCluster) testInlineStatus(t *testing.T) {
	apply := func(annotations, status string) {
		t.Helper()
		c.kubectl(t, fmt.Sprintf(documentedWorkload, "inline", annotations, status), "apply", "-f", "-")
	}
	apply("", "False")
	c.waitFor(t, "inline", "Ready False Declared")
	apply("", "True")
	c.waitFor(t, "inline", "Ready True Declared")
	c.kubectl(t, "", "annotate", "--overwrite", "externalworkload", "inline", v1beta1.ReadyAnnotation+"=False")
	c.waitFor(t, "inline", "Ready False Declared")
	c.kubectl(t, "", "label", "externalworkload", "inline", "touched=yes")
	c.waitFor(t, "inline", "Ready False Declared")
	apply("", "True")
	c.waitFor(t, "inline", "Ready True Declared")
	apply(v1beta1.ReadyAnnotation+`: "Unknown"`, "True")
	c.waitFor(t, "inline", "Ready Unknown Declared")
}

func (c *readinessCluster) testServerSideApply(t *testing.T) {
	for _, status := range []string{"True", "True", "False", "True"} {
		c.kubectl(t, fmt.Sprintf(documentedWorkload, "server-side", "", status), "apply", "--server-side", "-f", "-")
		c.waitFor(t, "server-side", "Ready "+status+" Declared")
	}
}

func (c *readinessCluster) testProbe(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().(*net.TCPAddr)
	c.create(t, readinessWorkload("probed", map[string]string{
		v1beta1.ReadyAnnotation: "True",
		v1beta1.ProbeAnnotation: fmt.Sprintf("tcpSocket: {host: 127.0.0.1, port: %d}\nperiodSeconds: 1\nfailureThreshold: 1\n", address.Port),
	}))
	c.waitFor(t, "probed", "Ready True ProbeSucceeded")
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	c.waitFor(t, "probed", "Ready False ProbeFailed: connection refused")
	if listener, err = net.Listen("tcp", address.String()); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	c.waitFor(t, "probed", "Ready True ProbeSucceeded")
	c.kubectl(t, "", "annotate", "externalworkload", "probed", v1beta1.ProbeAnnotation+"-")
	c.waitFor(t, "probed", "Ready True Declared")
}

func (c *readinessCluster) testOthers(t *testing.T) {
	c.create(t, readinessWorkload("others", nil))
	theirs := v1beta1.WorkloadCondition{Type: "example.org/Patched", Status: v1beta1.ConditionFalse, Reason: "Old", Message: "theirs"}
	stop := make(chan struct{})
	var running sync.WaitGroup
	// Somebody else writes all the time, so that conflicts are met.
	running.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				c.writeTheirs(t, theirs, i)
			}
		}
	})
	for _, status := range []string{"True", "False", "True", "False", "True"} {
		c.kubectl(t, "", "annotate", "--overwrite", "externalworkload", "others", v1beta1.ReadyAnnotation+"="+status)
		c.waitFor(t, "others", "Ready "+status+" Declared")
	}
	close(stop)
	running.Wait()

	got := c.get(t, "others").Status.Conditions
	want := []v1beta1.WorkloadCondition{theirs, {Type: v1beta1.WorkloadReady, Status: v1beta1.ConditionTrue, Reason: readiness.ReasonDeclared}}
	ignored := cmpopts.IgnoreFields(v1beta1.WorkloadCondition{}, "LastTransitionTime", "LastProbeTime", "Message")
	if diff := cmp.Diff(want, got, ignored); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// writeTheirs writes the condition of somebody else with a new message, unless
// the workload changed in between.
func (c *readinessCluster) writeTheirs(t *testing.T, theirs v1beta1.WorkloadCondition, i int) {
	workloads := c.client.WorkloadV1beta1().ExternalWorkloads("default")
	have, err := workloads.Get(t.Context(), "others", metav1.GetOptions{})
	if err != nil {
		t.Error(err)
		return
	}
	theirs.Message = fmt.Sprintf("theirs, %d", i)
	conditions := []v1beta1.WorkloadCondition{theirs}
	for _, condition := range have.Status.Conditions {
		if condition.Type != theirs.Type {
			conditions = append(conditions, condition)
		}
	}
	have.Status.Conditions = conditions
	// A conflict is lost by them; the next round writes again.
	_, _ = workloads.UpdateStatus(t.Context(), have, metav1.UpdateOptions{})
}

func (c *readinessCluster) testBadAnnotation(t *testing.T) {
	c.create(t, readinessWorkload("typo", map[string]string{v1beta1.ProbeAnnotation: `{"tcpSocket":{"port":"htpp"}}`}))
	c.waitFor(t, "typo", `Accepted False InvalidProbe: the workload has no TCP port named "htpp"`)
	c.kubectl(t, "", "annotate", "--overwrite", "externalworkload", "typo", v1beta1.ProbeAnnotation+`={"tcpSocket":{"port":80,"host":"169.254.169.254"}}`)
	c.waitFor(t, "typo", "Accepted False ProbeAddressRefused: address 169.254.169.254 must not be probed: it is a link-local address")
	c.kubectl(t, "", "annotate", "externalworkload", "typo", v1beta1.ProbeAnnotation+"-")
	c.waitFor(t, "typo", "")
}

func (c *readinessCluster) testReport(t *testing.T) {
	uid := c.create(t, readinessWorkload("reported", nil))
	key := cache.NewObjectName("default", "reported")
	c.controller.Report(key, uid, []readiness.Problem{{Reason: "InvalidAddress", Message: "no"}})
	c.waitFor(t, "reported", "Accepted False InvalidAddress: no")
	c.controller.Report(key, uid, nil)
	c.waitFor(t, "reported", "")
}

func (c *readinessCluster) testLeftAlone(t *testing.T) {
	c.create(t, readinessWorkload("alone", nil))
	before := c.get(t, "alone")
	// What is created later is handled later.
	c.create(t, readinessWorkload("after-alone", map[string]string{v1beta1.ReadyAnnotation: "True"}))
	c.waitFor(t, "after-alone", "Ready True Declared")
	if after := c.get(t, "alone"); after.ResourceVersion != before.ResourceVersion {
		t.Errorf("a workload without annotations was written: %+v", after.Status)
	}
}

// startReadiness starts everything, with a definition that change was applied to.
func startReadiness(t *testing.T, change func(*apiextensionsv1.CustomResourceDefinition)) *readinessCluster {
	t.Helper()
	cluster := &readinessCluster{ControlPlane: controlplane.ForTest(t, controlplane.Options{})}
	crd, err := controlplane.CRD()
	if err != nil {
		t.Fatal(err)
	}
	change(crd)
	if err := controlplane.InstallCRD(t.Context(), cluster.AdminConfig(), crd); err != nil {
		t.Fatal(err)
	}
	if cluster.client, err = versioned.NewForConfig(cluster.AdminConfig()); err != nil {
		t.Fatal(err)
	}
	cluster.runController(t)
	cluster.installPolicy(t)
	return cluster
}

func (c *readinessCluster) runController(t *testing.T) {
	t.Helper()
	factory := externalversions.NewSharedInformerFactory(c.client, 0)
	var err error
	c.controller, err = readiness.New(readiness.Config{
		Client:        c.client,
		Workloads:     factory.Workload().V1beta1().ExternalWorkloads(),
		Events:        events.NewFakeRecorder(10000),
		Observer:      unobservedReadiness{},
		ProbeLoopback: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() {
		if err := c.controller.Run(ctx, 4); err != nil {
			t.Error(err)
		}
	})
	factory.StartWithContext(ctx)
	t.Cleanup(func() {
		cancel()
		running.Wait()
		factory.Shutdown()
	})
}

// installPolicy applies the policy that the chart installs, and waits until
// the API server follows it.
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
	c.kubectl(t, string(manifest), "apply", "-f", "-")
	example := fmt.Sprintf(documentedWorkload, "canary", "", "True")
	waitUntilTrue(t, "the policy is followed", func() (bool, string) {
		// At first the server refuses every workload: it does not know the schema yet.
		output, err := c.tryKubectl(t, example, "create", "--dry-run=server", "-o", "yaml", "-f", "-")
		return err == nil && strings.Contains(output, v1beta1.ReadyAnnotation), output
	})
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

// waitFor waits until one of the workload's conditions reads as wanted, from
// its beginning; or until it has none, if nothing is wanted.
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

func waitUntilTrue(t *testing.T, what string, is func() (bool, string)) {
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

// makeDefinitionLax takes every rule out of the definition that Linkerd's does not have:
// lists are atomic, and any text is an address.
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

// unobservedReadiness is told everything and keeps nothing.
type unobservedReadiness struct{}

func (unobservedReadiness) Reconciled(string, string, time.Duration)            {}
func (unobservedReadiness) PanicRecovered(string)                               {}
func (unobservedReadiness) Probed(string, string, time.Duration, time.Duration) {}
func (unobservedReadiness) SetWorkloads(string, string, int)                    {}
func (unobservedReadiness) StatusWritten(string)                                {}
func (unobservedReadiness) SetHold(bool)                                        {}
func (unobservedReadiness) AnnotationRejected(string)                           {}
