package chart

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// rule is an RBAC rule.
type rule struct {
	APIGroups       []string `json:"apiGroups,omitempty"`
	Resources       []string `json:"resources,omitempty"`
	ResourceNames   []string `json:"resourceNames,omitempty"`
	NonResourceURLs []string `json:"nonResourceURLs,omitempty"`
	Verbs           []string `json:"verbs"`
}

func TestNoRoleAsksForTooMuch(t *testing.T) {
	for _, values := range cases(t) {
		for _, o := range parse(t, render(t, "--values", values)) {
			if o.kind() != "Role" && o.kind() != "ClusterRole" {
				continue
			}
			for _, r := range decode[[]rule](t, o["rules"]) {
				where := filepath.Base(values) + ": " + o.kind() + " " + o.name()
				checkRule(t, where, r)
			}
		}
	}
}

func checkRule(t *testing.T, where string, r rule) {
	t.Helper()
	all := slices.Concat(r.APIGroups, r.Resources, r.NonResourceURLs, r.Verbs)
	for _, word := range all {
		if strings.Contains(word, "*") {
			t.Errorf("%s: wildcard in %+v", where, r)
		}
	}
	for _, forbidden := range []string{"secrets", "pods", "nodes", "configmaps", "namespaces", "roles", "clusterroles"} {
		if slices.Contains(r.Resources, forbidden) {
			t.Errorf("%s: %s in %+v", where, forbidden, r)
		}
	}
	onlyCreate := slices.Equal(r.Verbs, []string{"create"})
	if slices.Contains(r.Resources, "leases") && len(r.ResourceNames) != 1 && !onlyCreate {
		t.Errorf("%s: Leases that are not named in %+v", where, r)
	}
	if slices.Contains(r.Resources, "services") && slices.Contains(r.Verbs, "update") {
		t.Errorf("%s: Services are written in %+v", where, r)
	}
}

// placed names an object with its kind and namespace.
func placed(o object) string {
	place := o.kind() + " "
	if namespace, ok := o.at("metadata", "namespace").(string); ok {
		place += namespace + "/"
	}
	return place + o.name()
}

// rights lists the bindings of the controller's account, without those of helm test.
func rights(t *testing.T, args ...string) []string {
	t.Helper()
	var found []string
	for _, o := range parse(t, render(t, args...)) {
		if strings.HasSuffix(o.kind(), "RoleBinding") && o.at("metadata", "annotations", "helm.sh/hook") == nil {
			found = append(found, placed(o))
		}
	}
	slices.Sort(found)
	return found
}

func TestRightsReachAsFarAsTheNamespaces(t *testing.T) {
	for name, tc := range map[string]struct{ args, want []string }{
		"all namespaces": {
			nil,
			[]string{
				"ClusterRoleBinding mesh-vms-ewc-external-workload-controller",
				"ClusterRoleBinding mesh-vms-ewc-external-workload-controller-metrics-check",
				"RoleBinding mesh-vms/ewc-external-workload-controller-lease",
			},
		},
		"two namespaces and open metrics: nothing is cluster-wide": {
			[]string{"--set", "namespaces={shop,warehouse},metrics.secure=false"},
			[]string{
				"RoleBinding mesh-vms/ewc-external-workload-controller-events",
				"RoleBinding mesh-vms/ewc-external-workload-controller-lease",
				"RoleBinding shop/mesh-vms-ewc-external-workload-controller",
				"RoleBinding warehouse/mesh-vms-ewc-external-workload-controller",
			},
		},
		"taking over: one Lease of Linkerd": {
			[]string{"--set", "namespaces={shop},metrics.secure=false,linkerd.takeOver=true"},
			[]string{
				"RoleBinding linkerd/mesh-vms-ewc-external-workload-controller-take-over",
				"RoleBinding mesh-vms/ewc-external-workload-controller-events",
				"RoleBinding mesh-vms/ewc-external-workload-controller-lease",
				"RoleBinding shop/mesh-vms-ewc-external-workload-controller",
			},
		},
		"one Pod without a Lease": {
			[]string{"--set", "namespaces={shop},metrics.secure=false,leaderElection.enabled=false,replicas=1"},
			[]string{
				"RoleBinding mesh-vms/ewc-external-workload-controller-events",
				"RoleBinding shop/mesh-vms-ewc-external-workload-controller",
			},
		},
		"rbac.create=false": {[]string{"--set", "rbac.create=false"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, rights(t, tc.args...)); diff != "" {
				t.Errorf("bindings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestStatusIsWrittenOnlyByReadiness(t *testing.T) {
	without := only(t, parse(t, render(t, "--set", "readiness.enabled=false,rbac.aggregate=false,metrics.secure=false")), "ClusterRole")
	for _, r := range decode[[]rule](t, without["rules"]) {
		if slices.Contains(r.Resources, "externalworkloads/status") {
			t.Errorf("without readiness the controller may write status: %+v", r)
		}
	}
}

// TestTheClusterRolesThatRemainWithNamespacesAreDocumented compares the section "In some
// namespaces only" of docs/install.md with what the chart renders.
func TestTheClusterRolesThatRemainWithNamespacesAreDocumented(t *testing.T) {
	_, section, found := strings.Cut(readFile(t, root+"/docs/install.md"), "\n## In some namespaces only\n")
	if !found {
		t.Fatal("docs/install.md has no section about namespaces")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	row := regexp.MustCompile("(?m)^\\| `\\.\\.\\.(-[a-z-]+)` \\|.*\\| `([^`]+)` \\|$")
	var documented []string
	for _, match := range row.FindAllStringSubmatch(section, -1) {
		documented = append(documented, match[1])
		for _, name := range clusterRoles(t, match[2]) {
			if strings.HasSuffix(name, match[1]) {
				t.Errorf("%s is rendered with %s", name, match[2])
			}
		}
	}
	var rendered []string
	for _, name := range clusterRoles(t) {
		rendered = append(rendered, strings.TrimPrefix(name, "mesh-vms-ewc-external-workload-controller"))
	}
	if diff := cmp.Diff(rendered, documented, cmpopts.SortSlices(strings.Compare)); diff != "" {
		t.Errorf("ClusterRoles (-rendered +documented):\n%s", diff)
	}
}

// clusterRoles are the names of the ClusterRoles of the chart with two namespaces.
func clusterRoles(t *testing.T, values ...string) []string {
	t.Helper()
	args := []string{"--set", strings.Join(append([]string{"namespaces={shop,warehouse}"}, values...), ",")}
	var names []string
	for _, o := range parse(t, render(t, args...)) {
		if o.kind() == "ClusterRole" {
			names = append(names, o.name())
		}
	}
	return names
}
