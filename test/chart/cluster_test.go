package chart

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const crdFile = chartDir + "/files/crds/workload.linkerd.io_externalworkloads.yaml"

func TestTheCRDIsUpgradedAndKept(t *testing.T) {
	rendered := only(t, parse(t, render(t)), "CustomResourceDefinition")
	if got := rendered.at("metadata", "annotations", "helm.sh/resource-policy"); got != "keep" {
		t.Errorf("resource policy %v: helm uninstall would delete every ExternalWorkload", got)
	}
	original := only(t, parse(t, readFile(t, crdFile)), "CustomResourceDefinition")
	if diff := cmp.Diff(original["spec"], rendered["spec"]); diff != "" {
		t.Errorf("the CRD is not rendered as generated (-file +rendered):\n%s", diff)
	}
}

// apis makes Helm believe that the cluster has the kinds.
func apis(kinds ...string) []string {
	var args []string
	for _, kind := range kinds {
		args = append(args, "--api-versions", "admissionregistration.k8s.io/v1/"+kind)
	}
	return args
}

var (
	validating = []string{"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}
	mutating   = []string{"MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"}
)

// policyKinds lists the kinds of files/policies that begin as told.
func policyKinds(t *testing.T, kinds []string) []string {
	t.Helper()
	paths, err := filepath.Glob(chartDir + "/files/policies/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, path := range paths {
		for _, o := range parse(t, readFile(t, path)) {
			if slices.Contains(kinds, o.kind()) {
				found = append(found, o.kind())
			}
		}
	}
	slices.Sort(found)
	return found
}

func TestPoliciesAreRenderedWhereTheClusterHasTheAPI(t *testing.T) {
	checks, declares := policyKinds(t, validating), policyKinds(t, mutating)
	both := slices.Concat(declares, checks)
	for name, tc := range map[string]struct {
		args []string
		want []string
	}{
		"no API":                 {nil, nil},
		"only the validating":    {apis(validating...), checks},
		"only the mutating":      {apis(mutating...), declares},
		"both":                   {apis(both...), both},
		"checks switched off":    {append(apis(both...), "--set", "admissionPolicies.validate=Off"), declares},
		"declared readiness off": {append(apis(both...), "--set", "admissionPolicies.declaredReadiness=false"), checks},
		"readiness off":          {append(apis(both...), "--set", "readiness.enabled=false"), checks},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, o := range parse(t, render(t, tc.args...)) {
				if slices.Contains(slices.Concat(validating, mutating), o.kind()) {
					got = append(got, o.kind())
				}
			}
			slices.Sort(got)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("policies (-want +got):\n%s", diff)
			}
		})
	}
}

// policies renders the policies of the release in a namespace and gives the
// rest of them by name.
func policies(t *testing.T, release, namespace string, args ...string) map[string]object {
	t.Helper()
	args = append([]string{"template", release, chartDir, "--namespace", namespace}, append(apis(slices.Concat(validating, mutating)...), args...)...)
	out, err := helm(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]object{}
	for _, o := range parse(t, out) {
		if slices.Contains(slices.Concat(validating, mutating), o.kind()) {
			found[o.kind()+" "+o.name()] = o
		}
	}
	return found
}

func TestTwoReleasesDoNotShareAdmissionPolicies(t *testing.T) {
	first, second := policies(t, "ewc", "mesh-vms"), policies(t, "ewc", "other")
	if len(first) != len(slices.Concat(validating, mutating)) || len(second) != len(first) {
		t.Fatalf("%d and %d policies and bindings, want %d", len(first), len(second), len(slices.Concat(validating, mutating)))
	}
	for name, o := range first {
		if _, shared := second[name]; shared {
			t.Errorf("both releases have %s", name)
		}
		if policy, binds := o.at("spec", "policyName").(string); binds {
			kind := strings.TrimSuffix(o.kind(), "Binding")
			if _, known := first[kind+" "+policy]; !known {
				t.Errorf("%s binds the unknown policy %q", name, policy)
			}
		}
	}
}

func TestPoliciesApplyToTheServedNamespacesAlone(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want any
	}{
		"all": {nil, nil},
		"two namespaces": {[]string{"--set", "namespaces={shop,warehouse}"}, map[string]any{"matchExpressions": []any{map[string]any{
			"key": "kubernetes.io/metadata.name", "operator": "In", "values": []any{"shop", "warehouse"},
		}}}},
	} {
		t.Run(name, func(t *testing.T) {
			for policy, o := range policies(t, "ewc", "mesh-vms", tc.args...) {
				if strings.HasSuffix(o.kind(), "Binding") {
					continue
				}
				if diff := cmp.Diff(tc.want, o.at("spec", "matchConstraints", "namespaceSelector")); diff != "" {
					t.Errorf("%s (-want +got):\n%s", policy, diff)
				}
			}
		})
	}
}

func TestTheActionOfTheChecksIsAValue(t *testing.T) {
	for _, action := range []string{"Deny", "Warn"} {
		args := append(apis(validating...), "--set", "admissionPolicies.validate="+action)
		binding := only(t, parse(t, render(t, args...)), "ValidatingAdmissionPolicyBinding")
		if diff := cmp.Diff([]any{action}, binding.at("spec", "validationActions")); diff != "" {
			t.Errorf("actions (-want +got):\n%s", diff)
		}
	}
}

// messages collects the messages of all rules below a schema.
func messages(node any, into map[string]bool) {
	switch node := node.(type) {
	case map[string]any:
		if message, ok := node["message"].(string); ok && node["rule"] != nil {
			into[message] = true
		}
		for _, child := range node {
			messages(child, into)
		}
	case []any:
		for _, child := range node {
			messages(child, into)
		}
	}
}

// The rules that the CRD has as CEL must all be in the policy, in the same
// words. The policy has more, for what the CRD says in its schema.
func TestThePolicyHasEveryRuleOfTheCRD(t *testing.T) {
	inCRD, inPolicy := map[string]bool{}, map[string]bool{}
	messages(map[string]any(only(t, parse(t, readFile(t, crdFile)), "CustomResourceDefinition")), inCRD)
	policy := only(t, parse(t, readFile(t, chartDir+"/files/policies/validate-workloads.yaml")), "ValidatingAdmissionPolicy")
	for _, v := range policy.at("spec", "validations").([]any) {
		inPolicy[v.(map[string]any)["message"].(string)] = true
	}
	if len(inCRD) == 0 {
		t.Fatal("no rules found in the CRD")
	}
	for message := range inCRD {
		if !inPolicy[message] {
			t.Errorf("the policy does not say: %s", message)
		}
	}
}
