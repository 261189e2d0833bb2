package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"sigs.k8s.io/yaml"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// A way is the way in which a tool applies a manifest.
type way struct {
	// apply applies a manifest with the condition Ready of a status, or without the condition
	// if status is empty.
	apply func(c *readinessCluster, t *testing.T, name, status string)
	// alone is true if the controller follows the inline condition without the policy, and
	// assisted if it does with the policy.
	alone, assisted bool
	// keeps is true if the controller still follows a condition that was removed from the
	// manifest.
	keeps bool
}

// ways are the rows of the table in docs/readiness.md. kubectl is the real program, which
// Argo CD uses too. For the other tools, the test makes the same requests.
var ways = map[string]way{
	"kubectl apply":                          {apply: kubectlWith("apply"), alone: true, assisted: true},
	"kubectl apply --server-side":            {apply: kubectlWith("apply", "--server-side"), assisted: true, keeps: true},
	"kubectl create, then replace":           {apply: createOrReplace, assisted: true},
	"kubectl create, then edit":              {apply: createOrEdit, assisted: true},
	"Argo CD":                                {apply: kubectlWith("apply", "--field-manager=argocd-controller"), alone: true, assisted: true},
	"Argo CD with Replace=true":              {apply: createOrReplace, assisted: true},
	"Argo CD with ServerSideApply=true":      {apply: kubectlWith("apply", "--server-side", "--force-conflicts", "--field-manager=argocd-controller"), assisted: true, keeps: true},
	"Flux, which removes the status":         {apply: flux},
	"Helm 3":                                 {apply: helmThree, assisted: true},
	"Helm 4, or Terraform":                   {apply: kubectlWith("apply", "--server-side", "--force-conflicts", "--field-manager=helm"), assisted: true, keeps: true},
	"an annotation instead of the condition": {apply: annotation, alone: true, assisted: true},
}

// TestEveryWayToApplyAManifest declares True, then False, then nothing. Then another manager
// writes the condition and takes precedence.
func TestEveryWayToApplyAManifest(t *testing.T) {
	for server, test := range map[string]struct {
		change   func(*apiextensionsv1.CustomResourceDefinition)
		assisted bool
	}{
		"without the policy":              {},
		"with the policy":                 {assisted: true},
		"with the policy under a lax CRD": {makeDefinitionLax, true},
	} {
		t.Run(server, func(t *testing.T) {
			c := startCluster(t, test.change)
			c.runController(t, unobservedReadiness{})
			if test.assisted {
				c.installPolicy(t)
			}
			for tool, way := range ways {
				t.Run(tool, func(t *testing.T) {
					c.testWay(t, way, strings.ToLower(strings.Map(letters, tool)), way.alone || (test.assisted && way.assisted))
				})
			}
		})
	}
}

func letters(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
		return r
	}
	return -1
}

func (c *readinessCluster) testWay(t *testing.T, w way, name string, followed bool) {
	for _, status := range []string{"True", "False", "False", "True"} {
		w.apply(c, t, name, status)
		if followed {
			c.waitFor(t, name, "Ready "+status+" Declared")
		} else {
			c.settle(t)
			c.waitFor(t, name, "")
		}
	}
	w.apply(c, t, name, "")
	c.settle(t)
	if followed && !w.keeps {
		c.agentWrites(t, name, "[]")
		c.settle(t)
		c.waitFor(t, name, "") // the manifest no longer declares anything
	}
	w.apply(c, t, name, "True")
	explicit := c.get(t, name).Annotations[v1beta1.ReadyAnnotation] != ""
	if !explicit {
		c.agentWrites(t, name, `[{"type":"Ready","status":"False","reason":"AgentSays"}]`)
		c.settle(t)
		c.waitFor(t, name, "Ready False AgentSays")
	}
}

// TestNoStateIsTakenForADeclaration has requests with a condition that a client has
// observed. After each of them an agent's next write still counts.
func TestNoStateIsTakenForADeclaration(t *testing.T) {
	const observed = `[{"type":"Ready","status":"True","reason":"AgentSays","lastTransitionTime":"2026-01-01T00:00:00Z"}]`
	const plain = `[{"type":"Ready","status":"True"}]`
	c := startCluster(t, nil)
	c.runController(t, unobservedReadiness{})
	c.installPolicy(t)
	for sentence, test := range map[string]struct {
		name, conditions string
		then             func(t *testing.T, name string)
	}{
		"an operator's read-modify-write":                    {"rmw", observed, c.readModifyWrite},
		"an operator's read-modify-write without reason":     {"rmw-plain", plain, c.readModifyWrite},
		"a backup that is restored":                          {"restored", observed, c.restore("create")},
		"a backup without reason that is restored":           {"restored-plain", plain, c.restore("create")},
		"a backup that replaces the workload":                {"replaced", observed, c.restore("replace")},
		"a backup without reason that replaces it":           {"replaced-plain", plain, c.restore("replace")},
		"a backup applied with server-side apply":            {"applied", observed, c.restore("apply", "--server-side", "--force-conflicts")},
		"a controller that creates a copy with an old state": {"copied", observed, c.copyByController},
	} {
		t.Run(sentence, func(t *testing.T) {
			c.kubectl(t, manifest(test.name, ""), "apply", "-f", "-")
			c.agentWrites(t, test.name, test.conditions)
			test.then(t, test.name)
			c.agentWrites(t, test.name, `[{"type":"Ready","status":"False"}]`)
			c.settle(t)
			if got, kept := c.get(t, test.name).Annotations[v1beta1.InlineReadyAnnotation]; kept {
				t.Errorf("it counts as the declaration %q", got)
			}
			c.waitFor(t, test.name, "Ready False : ")
		})
	}
}

func (c *readinessCluster) readModifyWrite(t *testing.T, name string) {
	t.Helper()
	workload := c.get(t, name)
	workload.Labels["operated"] = "yes"
	if _, err := c.client.WorkloadV1beta1().ExternalWorkloads("default").Update(t.Context(), workload, metav1.UpdateOptions{FieldManager: "operator"}); err != nil {
		t.Fatal(err)
	}
}

// restore restores the output of kubectl get, without the UID and similar fields.
func (c *readinessCluster) restore(arguments ...string) func(*testing.T, string) {
	return func(t *testing.T, name string) {
		t.Helper()
		workload := c.get(t, name)
		workload.APIVersion, workload.Kind = "workload.linkerd.io/v1beta1", "ExternalWorkload"
		workload.UID, workload.ResourceVersion, workload.ManagedFields = "", "", nil
		workload.CreationTimestamp = metav1.Time{}
		dump, err := json.Marshal(workload)
		if err != nil {
			t.Fatal(err)
		}
		if arguments[0] == "create" {
			c.kubectl(t, "", "delete", "externalworkload", name)
		} else {
			c.agentWrites(t, name, `[{"type":"Ready","status":"False"}]`)
		}
		c.kubectl(t, string(dump), append(arguments, "-f", "-")...)
	}
}

func (c *readinessCluster) copyByController(t *testing.T, name string) {
	t.Helper()
	workload := c.get(t, name)
	workload.ObjectMeta = metav1.ObjectMeta{Name: name, Namespace: "default"}
	c.kubectl(t, "", "delete", "externalworkload", name)
	c.create(t, workload)
}

// settle waits until the controller has handled what happened before.
func (c *readinessCluster) settle(t *testing.T) {
	t.Helper()
	made, err := c.client.WorkloadV1beta1().ExternalWorkloads("default").Create(t.Context(), func() *v1beta1.ExternalWorkload {
		w := readinessWorkload("", map[string]string{v1beta1.ReadyAnnotation: "True"})
		w.GenerateName = "later-"
		return w
	}(), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c.waitFor(t, made.Name, "Ready True Declared")
}

// agentWrites replaces the conditions of a workload, as an agent on the machine does.
func (c *readinessCluster) agentWrites(t *testing.T, name, conditions string) {
	t.Helper()
	_, err := c.client.WorkloadV1beta1().ExternalWorkloads("default").Patch(t.Context(), name, types.MergePatchType,
		[]byte(`{"status":{"conditions":`+conditions+`}}`), metav1.PatchOptions{FieldManager: "agent"}, "status")
	if err != nil {
		t.Fatal(err)
	}
}

// manifest returns the documented workload, with the condition Ready inline unless
// status is empty.
func manifest(name, status string) string {
	text := fmt.Sprintf(documentedWorkload, name, "", status)
	if status == "" {
		text, _, _ = strings.Cut(text, "status:\n")
	}
	return text
}

func kubectlWith(arguments ...string) func(*readinessCluster, *testing.T, string, string) {
	return func(c *readinessCluster, t *testing.T, name, status string) {
		t.Helper()
		c.kubectl(t, manifest(name, status), append(arguments, "-f", "-")...)
	}
}

func createOrReplace(c *readinessCluster, t *testing.T, name, status string) {
	t.Helper()
	verb := "replace"
	if !c.exists(t, name) {
		verb = "create"
	}
	c.kubectl(t, manifest(name, status), verb, "-f", "-")
}

// createOrEdit creates a manifest, or edits its status: it adds, changes or removes it.
func createOrEdit(c *readinessCluster, t *testing.T, name, status string) {
	t.Helper()
	if !c.exists(t, name) {
		c.kubectl(t, manifest(name, status), "create", "-f", "-")
		return
	}
	edited := filepath.Join(t.TempDir(), "edited")
	workload := c.get(t, name)
	workload.ManagedFields, workload.APIVersion, workload.Kind = nil, "workload.linkerd.io/v1beta1", "ExternalWorkload"
	workload.Status.Conditions = nil
	if status != "" {
		workload.Status.Conditions = []v1beta1.WorkloadCondition{{Type: v1beta1.WorkloadReady, Status: v1beta1.ConditionStatus(status)}}
	}
	text, err := json.Marshal(workload)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(edited, text, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBE_EDITOR", "cp "+edited)
	c.kubectl(t, "", "edit", "externalworkload", name)
}

func annotation(c *readinessCluster, t *testing.T, name, status string) {
	t.Helper()
	line := ""
	if status != "" {
		line = v1beta1.ReadyAnnotation + `: "` + status + `"`
	}
	text, _, _ := strings.Cut(fmt.Sprintf(documentedWorkload, name, line, ""), "status:\n")
	c.kubectl(t, text, "apply", "-f", "-")
}

// flux applies a manifest like Flux's kustomize-controller: without status.
func flux(c *readinessCluster, t *testing.T, name, _ string) {
	t.Helper()
	c.kubectl(t, manifest(name, ""), "apply", "--server-side", "--force-conflicts", "--field-manager=kustomize-controller", "-f", "-")
}

func asJSON(t *testing.T, text string) []byte {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// helmThree sends a three-way merge patch of the former manifest, the new one and the object.
func helmThree(c *readinessCluster, t *testing.T, name, status string) {
	t.Helper()
	if !c.exists(t, name) {
		c.kubectl(t, manifest(name, status), "create", "--field-manager=helm", "-f", "-")
		helmReleases[name] = asJSON(t, manifest(name, status))
		return
	}
	workloads := c.client.WorkloadV1beta1().ExternalWorkloads("default")
	live, err := json.Marshal(c.get(t, name))
	if err != nil {
		t.Fatal(err)
	}
	wanted := asJSON(t, manifest(name, status))
	patch, err := jsonmergepatch.CreateThreeWayJSONMergePatch(helmReleases[name], wanted, live)
	if err != nil {
		t.Fatal(err)
	}
	helmReleases[name] = wanted
	if _, err := workloads.Patch(t.Context(), name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: "helm"}); err != nil {
		t.Fatal(err)
	}
}

// helmReleases are the last manifests of helmThree.
var helmReleases = map[string][]byte{}

func (c *readinessCluster) exists(t *testing.T, name string) bool {
	t.Helper()
	_, err := c.client.WorkloadV1beta1().ExternalWorkloads("default").Get(context.WithoutCancel(t.Context()), name, metav1.GetOptions{})
	return err == nil
}
