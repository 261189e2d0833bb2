package integration

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// plugin is the kubectl plugin, used in a site.
type plugin struct {
	*site
	binary string
}

func newPlugin(t *testing.T) *plugin {
	t.Helper()
	p := &plugin{site: newSite(t, sharedPlane(t)), binary: filepath.Join(t.TempDir(), "kubectl-external_workload")}
	output, err := exec.CommandContext(t.Context(), "go", "-C", "../..", "build", "-o", p.binary, "./cmd/kubectl-external_workload").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	return p
}

// run returns the exit code and all output.
func (p *plugin) run(args ...string) (int, string) {
	p.t.Helper()
	command := exec.CommandContext(p.t.Context(), p.binary, append(args, "--kubeconfig", p.plane.Kubeconfig(), "-n", p.namespace)...)
	output, err := command.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0, string(output)
	case errors.As(err, &exit):
		return exit.ExitCode(), string(output)
	}
	p.t.Fatal(err)
	return 0, ""
}

// expect runs the program and checks its exit code and for a text in its output.
func (p *plugin) expect(code int, want string, args ...string) {
	p.t.Helper()
	got, output := p.run(args...)
	if got != code || !strings.Contains(output, want) {
		p.t.Errorf("%s: exit code %d, want %d; output does not contain %q:\n%s", strings.Join(args, " "), got, code, want, output)
	}
}

func TestPluginOnAServer(t *testing.T) {
	p := newPlugin(t)
	p.expect(1, `ExternalWorkload "a" not found in namespace "`+p.namespace+`"`, "why", "a")
	p.service("web")
	p.workload("a")
	p.workload("b", build.IPs("192.0.2.2"), build.WorkloadPorts())
	p.waitFor("web", "IPv4 http:8080/TCP | a 192.0.2.1")

	p.expect(0, "Service web: served", "why", "a")
	p.expect(2, "Fix: add the port to the workload's spec.ports", "why", "b")
	p.expect(2, "1 of 2 served, 1 NoMatchingPort", "why", "--service", "web")
	p.expect(0, `"served": true`, "why", "a", "web", "-o", "json")
	p.expect(0, "externalworkload.workload.linkerd.io/b", "list", "-o", "name")
	p.expect(0, "web (NoMatchingPort)", "list", "-A", "-o", "wide")

	p.expect(0, "externalworkload/a drained: no slice has it ready", "drain", "a", "--grace", "0s")
	p.waitFor("web", "IPv4 http:8080/TCP | a 192.0.2.1 not ready serving=true terminating")
	p.expect(0, "externalworkload/a is drained already", "drain", "a", "--grace", "0s")
	p.expect(2, "kubectl external-workload undrain a", "why", "a")
	p.expect(0, "externalworkload/a undrained", "undrain", "a")
	p.expect(0, "externalworkload/a is not drained", "undrain", "a")
	p.waitFor("web", "IPv4 http:8080/TCP | a 192.0.2.1")
	p.expect(0, "externalworkload/a deleted", "drain", "a", "--grace", "0s", "--delete")
	p.expect(0, "externalworkload/a is gone already", "drain", "a", "--grace", "0s", "--delete")
	p.waitFor("web")
}

// TestDrainSaysWhatItWaitsFor runs without a controller, so no endpoint is withdrawn.
func TestDrainSaysWhatItWaitsFor(t *testing.T) {
	p := newPlugin(t)
	p.service("web")
	p.workload("a")
	p.waitFor("web", "IPv4 http:8080/TCP | a 192.0.2.1")
	p.stop()
	p.expect(1, "is still ready in linkerd-external-web-", "drain", "a", "--timeout", "1s", "--grace", "0s")
	patched, err := p.workloads.WorkloadV1beta1().ExternalWorkloads(p.namespace).Get(t.Context(), "a", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if patched.Annotations[v1beta1.DrainAnnotation] == "" {
		t.Error("the machine does not stay drained")
	}
}

// TestWhyNeedsOnlyToListThreeResources has a user who may list these resources, and another
// one without permissions.
func TestWhyNeedsOnlyToListThreeResources(t *testing.T) {
	p := newPlugin(t)
	p.service("web")
	p.workload("a")
	p.waitFor("web", "IPv4 http:8080/TCP | a 192.0.2.1")
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "reader"}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"services"}, Verbs: []string{"list"}},
		{APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}, Verbs: []string{"list"}},
		{APIGroups: []string{"workload.linkerd.io"}, Resources: []string{"externalworkloads"}, Verbs: []string{"list"}},
	}}
	binding := &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "reader"},
		RoleRef:  rbacv1.RoleRef{APIGroup: "rbac.authorization.k8s.io", Kind: "Role", Name: "reader"},
		Subjects: []rbacv1.Subject{{APIGroup: "rbac.authorization.k8s.io", Kind: "User", Name: "reader"}}}
	if _, err := p.core.RbacV1().Roles(p.namespace).Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.core.RbacV1().RoleBindings(p.namespace).Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	p.eventually("the authorizer knows the Role", func() (bool, string) {
		code, output := p.run("why", "a", "--as", "reader")
		return code == 0 && strings.Contains(output, "Service web: served"), output
	})
	p.expect(1, "no permission to list ", "why", "a", "--as", "nobody")
	p.expect(1, "no permission to get externalworkloads.workload.linkerd.io", "drain", "a", "--as", "reader")
}
