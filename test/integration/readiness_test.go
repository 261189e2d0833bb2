package integration

import (
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/external-workload/controller/controller/readiness"
	"github.com/external-workload/controller/internal/loopback"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/test/internal/controlplane"
)

// documentedWorkload is like the example in Linkerd's reference: it has a Ready condition in
// a status that the API server drops.
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

func TestReadiness(t *testing.T) {
	for name, change := range map[string]func(*apiextensionsv1.CustomResourceDefinition){
		"under our CRD":   func(*apiextensionsv1.CustomResourceDefinition) {},
		"under a lax CRD": makeDefinitionLax,
	} {
		t.Run(name, func(t *testing.T) {
			cluster := startReadiness(t, change)
			t.Run("the documented example becomes ready", cluster.testDocumentedExample)
			t.Run("the annotation takes precedence over an inline status", cluster.testAnnotation)
			t.Run("a probe follows its listener", cluster.testProbe)
			t.Run("conditions of others survive", cluster.testOthers)
			t.Run("an invalid annotation is reported until it is corrected", cluster.testBadAnnotation)
			t.Run("workloads without an annotation are left alone", cluster.testLeftAlone)
		})
	}
}

// TestStatusOfAnObjectThatIsInvalidNow has an object that was stored before the strict CRD
// was installed: its status must still be written.
func TestStatusOfAnObjectThatIsInvalidNow(t *testing.T) {
	cluster := startReadiness(t, makeDefinitionLax)
	bad := readinessWorkload("bad", nil)
	bad.Spec.WorkloadIPs = []v1beta1.WorkloadIP{{IP: "127.0.0.1"}, {IP: "127.0.0.1"}}
	bad.Spec.Ports = append(bad.Spec.Ports, bad.Spec.Ports...)
	cluster.create(t, bad)
	if err := controlplane.InstallChartCRD(t.Context(), cluster.AdminConfig()); err != nil {
		t.Fatal(err)
	}
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

func (c *readinessCluster) testAnnotation(t *testing.T) {
	apply := func(status string) {
		t.Helper()
		c.kubectl(t, fmt.Sprintf(documentedWorkload, "inline", "", status), "apply", "-f", "-")
	}
	annotate := func(annotation string) {
		t.Helper()
		c.kubectl(t, "", "annotate", "--overwrite", "externalworkload", "inline", annotation)
	}
	apply("True")
	c.waitFor(t, "inline", "Ready True Declared")
	annotate(v1beta1.ReadyAnnotation + "=False")
	c.waitFor(t, "inline", "Ready False Declared")
	apply("Unknown")
	c.settle(t)
	c.waitFor(t, "inline", "Ready False Declared")
	annotate(v1beta1.ReadyAnnotation + "-")
	c.waitFor(t, "inline", "Ready Unknown Declared")
}

func (c *readinessCluster) testProbe(t *testing.T) {
	// Nobody else can take the port meanwhile.
	listener, err := net.Listen("tcp", loopback.AnyPort())
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().(*net.TCPAddr)
	c.create(t, readinessWorkload("probed", map[string]string{
		v1beta1.ReadyAnnotation: "True",
		v1beta1.ProbeAnnotation: fmt.Sprintf("tcpSocket: {host: %s, port: %d}\nperiodSeconds: 1\nfailureThreshold: 1\n", address.IP, address.Port),
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
	// Another client writes continuously, to cause conflicts.
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

// writeTheirs writes another client's condition with a new message, unless the workload
// changed in between.
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
	// After a conflict, the next round writes again.
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

func (c *readinessCluster) testLeftAlone(t *testing.T) {
	c.create(t, readinessWorkload("alone", nil))
	before := c.get(t, "alone")
	// Objects that are created later are handled later.
	c.create(t, readinessWorkload("after-alone", map[string]string{v1beta1.ReadyAnnotation: "True"}))
	c.waitFor(t, "after-alone", "Ready True Declared")
	if after := c.get(t, "alone"); after.ResourceVersion != before.ResourceVersion {
		t.Errorf("a workload without annotations was written: %+v", after.Status)
	}
}
