package chart

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/external-workload/controller/test/internal/controlplane"
)

var (
	workloadResource = schema.GroupVersionResource{Group: "workload.linkerd.io", Version: "v1beta1", Resource: "externalworkloads"}
	crdResource      = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
)

const crdName = "externalworkloads.workload.linkerd.io"

// cluster is a real API server with a namespace for the workloads. It has no nodes, so no
// Pods run: the tests check how the API server handles the chart's objects.
type cluster struct {
	plane     *controlplane.ControlPlane
	core      kubernetes.Interface
	objects   dynamic.Interface
	workloads dynamic.ResourceInterface
}

const settled = 30 * time.Second // longer than the API server needs to apply a new policy

// newCluster starts an API server, with additional flags if given.
func newCluster(t *testing.T, flags ...string) cluster {
	t.Helper()
	if testing.Short() {
		t.Skip("left out: -short starts no API server")
	}
	plane := controlplane.ForTest(t, controlplane.Options{
		Flags: map[controlplane.Component][]string{controlplane.APIServer: flags},
	})
	core, err := kubernetes.NewForConfig(plane.AdminConfig())
	if err != nil {
		t.Fatal(err)
	}
	objects, err := dynamic.NewForConfig(plane.AdminConfig())
	if err != nil {
		t.Fatal(err)
	}
	return cluster{plane, core, objects, objects.Resource(workloadResource).Namespace("default")}
}

// helm runs Helm against the cluster, for the release ewc in mesh-vms.
func (c cluster) helm(t *testing.T, command string, args ...string) {
	t.Helper()
	args = append([]string{command, "ewc"}, args...)
	if _, err := helm(t, append(args, "--namespace", "mesh-vms", "--kubeconfig", c.plane.Kubeconfig())...); err != nil {
		t.Fatal(err)
	}
}

// workload returns a valid ExternalWorkload with changed fields in its spec; nil removes a
// field.
func workload(name string, change map[string]any) *unstructured.Unstructured {
	spec := map[string]any{
		"meshTLS":     map[string]any{"identity": "vm", "serverName": "vm"},
		"workloadIPs": []any{map[string]any{"ip": "192.0.2.10"}},
		"ports":       []any{map[string]any{"port": int64(80), "name": "http"}},
	}
	for key, value := range change {
		spec[key] = value
		if value == nil {
			delete(spec, key)
		}
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "workload.linkerd.io/v1beta1",
		"kind":       "ExternalWorkload",
		"metadata":   map[string]any{"name": name},
		"spec":       spec,
	}}
}

func ips(addresses ...string) map[string]any {
	var list []any
	for _, address := range addresses {
		list = append(list, map[string]any{"ip": address})
	}
	return map[string]any{"workloadIPs": list}
}

func port(number int64, fields ...string) map[string]any {
	p := map[string]any{"port": number}
	for i := 0; i < len(fields); i += 2 {
		p[fields[i]] = fields[i+1]
	}
	return p
}

func ports(list ...any) map[string]any { return map[string]any{"ports": list} }

var badSpecs = map[string]struct {
	change map[string]any
	want   string
}{
	"no address":                  {ips("here"), "not an IP address"},
	"an address with a space":     {ips(" 192.0.2.1"), "not an IP address"},
	"leading zeros":               {ips("192.0.2.010"), "not an IP address"},
	"an IPv4-mapped address":      {ips("::ffff:192.0.2.1"), "not an IP address"},
	"IPv6 written out":            {ips("2001:DB8::1"), "canonical form"},
	"loopback":                    {ips("127.0.0.1"), "no machine can be reached"},
	"link-local":                  {ips("fe80::1"), "no machine can be reached"},
	"two of one family":           {ips("192.0.2.1", "192.0.2.2"), "both addresses are of one family"},
	"three addresses":             {ips("192.0.2.1", "2001:db8::1", "192.0.2.2"), "more than two addresses"},
	"a name in capitals":          {ports(port(80, "name", "HTTP")), "lower-case letters"},
	"a name without letters":      {ports(port(80, "name", "80")), "at least one letter"},
	"two hyphens":                 {ports(port(80, "name", "a--b")), "two hyphens"},
	"a long name":                 {ports(port(80, "name", "abcdefghijklmnop")), "at most 15"},
	"two ports of one name":       {ports(port(80, "name", "a"), port(81, "name", "a")), "the same name"},
	"a protocol in small letters": {ports(port(80, "protocol", "tcp")), "TCP, UDP or SCTP"},
	"one port twice":              {ports(port(80), port(80, "protocol", "TCP")), "listed twice"},
}

// Linkerd's CRD accepts these. A CRD that accepts anything replaces it here.
func TestThePolicyRefusesWhatALaxCRDLetsThrough(t *testing.T) {
	c, ctx := newCluster(t), t.Context()
	crd, err := controlplane.CRD()
	if err != nil {
		t.Fatal(err)
	}
	if err := controlplane.InstallCRD(ctx, c.plane.AdminConfig(), controlplane.Permissive(crd)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.workloads.Create(ctx, workload("old", ips("127.0.0.1")), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	foreign := []string{"install", "ewc", chartDir, "--namespace", "mesh-vms", "--create-namespace", "--kubeconfig", c.plane.Kubeconfig()}
	if _, err := helm(t, foreign...); err == nil || !strings.Contains(err.Error(), "cannot be imported into the current release") {
		t.Fatalf("installing over another release's CRD: %v", err)
	}
	c.helm(t, "install", chartDir, "--create-namespace", "--set", "crds.install=false,admissionPolicies.validate=Deny")
	c.waitForPolicy(t)
	for name, bad := range badSpecs {
		t.Run(name, func(t *testing.T) {
			_, err := c.workloads.Create(ctx, workload("bad", bad.change), metav1.CreateOptions{})
			if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), bad.want) {
				t.Errorf("answered %v, want a refusal with %q", err, bad.want)
			}
		})
	}
	t.Run("valid workloads are accepted", func(t *testing.T) {
		good := map[string]any{"ports": []any{port(80, "name", "a-b"), port(80, "protocol", "UDP")}}
		good["workloadIPs"] = ips("192.0.2.1", "2001:db8::1")["workloadIPs"]
		for name, w := range map[string]*unstructured.Unstructured{
			"good": workload("good", good), "bare": workload("bare", map[string]any{"ports": nil, "workloadIPs": nil}),
		} {
			if _, err := c.workloads.Create(ctx, w, metav1.CreateOptions{}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	t.Run("invalid workloads from before can be labelled and deleted", func(t *testing.T) {
		label := []byte(`{"metadata":{"labels":{"a":"b"}}}`)
		if _, err := c.workloads.Patch(ctx, "old", "application/merge-patch+json", label, metav1.PatchOptions{}); err != nil {
			t.Error(err)
		}
		if err := c.workloads.Delete(ctx, "old", metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	t.Run("with Warn, invalid workloads are stored with a warning", c.testWarnings)
}

// warned collects the warnings of the API server.
type warned struct{ texts []string }

// HandleWarningHeader implements rest.WarningHandler.
func (w *warned) HandleWarningHeader(_ int, _ string, text string) { w.texts = append(w.texts, text) }

// With Warn, the chart's default, the workload is stored and its author gets a warning.
func (c cluster) testWarnings(t *testing.T) {
	c.helm(t, "upgrade", chartDir, "--set", "crds.install=false")
	config, said := c.plane.AdminConfig(), &warned{}
	config.WarningHandler = said
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	workloads := client.Resource(workloadResource).Namespace("default")
	stored := func(ctx context.Context) (bool, error) {
		_, err := workloads.Create(ctx, workload("bad", ips("127.0.0.1")), metav1.CreateOptions{})
		if apierrors.IsInvalid(err) { // the API server has not applied the change yet
			return false, nil
		}
		return err == nil, err
	}
	if err := wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, settled, true, stored); err != nil {
		t.Fatalf("an invalid workload is not stored: %v", err)
	}
	if all := strings.Join(said.texts, "\n"); !strings.Contains(all, "no machine can be reached") {
		t.Errorf("the warnings are %q", all)
	}
}

// waitForPolicy waits until an invalid workload is refused.
func (c cluster) waitForPolicy(t *testing.T) {
	t.Helper()
	refused := func(ctx context.Context) (bool, error) {
		_, err := c.workloads.Create(ctx, workload("probe", ips("127.0.0.1")), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return apierrors.IsInvalid(err), nil
	}
	if err := wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, settled, true, refused); err != nil {
		t.Fatalf("the policy refuses nothing: %v", err)
	}
}

func TestInstallUpgradeUninstall(t *testing.T) {
	c, ctx := newCluster(t), t.Context()
	c.helm(t, "install", c.olderChart(t), "--create-namespace")
	if names := c.shortNames(t); names != nil {
		t.Fatalf("the older CRD has short names %v", names)
	}
	c.helm(t, "upgrade", chartDir, "--set", "replicas=3")
	if names := c.shortNames(t); fmt.Sprint(names) != "[ew]" {
		t.Errorf("after helm upgrade the CRD has short names %v, want [ew]", names)
	}
	created := func(ctx context.Context) (bool, error) {
		_, err := c.workloads.Create(ctx, workload("mine", nil), metav1.CreateOptions{})
		return err == nil, nil
	}
	if err := wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, settled, true, created); err != nil {
		t.Fatalf("a workload cannot be created: %v", err)
	}
	c.helm(t, "rollback", "1")
	c.helm(t, "uninstall")
	if _, err := c.workloads.Get(ctx, "mine", metav1.GetOptions{}); err != nil {
		t.Errorf("the workload was deleted with the release: %v", err)
	}
	if _, err := c.core.AppsV1().Deployments("mesh-vms").Get(ctx, "ewc-external-workload-controller", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the Deployment outlives the release: %v", err)
	}
	c.helm(t, "install", chartDir)
}

// olderChart returns the chart with an older CRD, without short names.
func (c cluster) olderChart(t *testing.T) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "chart")
	if err := os.CopyFS(folder, os.DirFS(chartDir)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "files", "crds", filepath.Base(crdFile))
	older := strings.Replace(readFile(t, path), "    shortNames:\n    - ew\n", "", 1)
	if err := os.WriteFile(path, []byte(older), 0o600); err != nil {
		t.Fatal(err)
	}
	return folder
}

func (c cluster) shortNames(t *testing.T) any {
	t.Helper()
	crd, err := c.objects.Resource(crdResource).Get(t.Context(), crdName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	names, _, err := unstructured.NestedSlice(crd.Object, "spec", "names", "shortNames")
	if err != nil {
		t.Fatal(err)
	}
	if names == nil {
		return nil
	}
	return names
}

// may asks the API server whether the controller's account has a permission, written as
// "verb group/resource/subresource namespace name".
func (c cluster) may(t *testing.T, verb, resource, namespace, name string) bool {
	t.Helper()
	attributes := &authorizationv1.ResourceAttributes{Verb: verb, Namespace: namespace, Name: name}
	parts := strings.SplitN(resource, "/", 3)
	attributes.Group, attributes.Resource = parts[0], parts[1]
	if len(parts) == 3 {
		attributes.Subresource = parts[2]
	}
	review, err := c.core.AuthorizationV1().SubjectAccessReviews().Create(t.Context(), &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{
			User:               "system:serviceaccount:mesh-vms:ewc-external-workload-controller",
			Groups:             []string{"system:authenticated", "system:serviceaccounts", "system:serviceaccounts:mesh-vms"},
			ResourceAttributes: attributes,
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return review.Status.Allowed
}
