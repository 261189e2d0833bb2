package chart

import (
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
		t.Errorf("the rendered CRD differs from the generated one (-file +rendered):\n%s", diff)
	}
}

// apis are the arguments with which Helm renders for a cluster that has the kinds.
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

// policiesOf lists the names that the policies in a file of files/policies have in the
// release.
func policiesOf(t *testing.T, file string) []string {
	t.Helper()
	var found []string
	for _, o := range parse(t, readFile(t, chartDir+"/files/policies/"+file)) {
		name, rest, _ := strings.Cut(o.name(), ".")
		found = append(found, o.kind()+" "+name+".mesh-vms-ewc-external-workload-controller."+rest)
	}
	if len(found) == 0 {
		t.Fatalf("%s has no policy", file)
	}
	return found
}

func TestPoliciesAreRenderedWhereTheClusterHasTheAPI(t *testing.T) {
	checks, declares, machines := policiesOf(t, "validate-workloads.yaml"), policiesOf(t, "declared-readiness.yaml"), policiesOf(t, "machines.yaml")
	both := apis(slices.Concat(validating, mutating)...)
	for name, tc := range map[string]struct {
		args []string
		want []string
	}{
		"no API":                 {nil, nil},
		"only the validating":    {apis(validating...), slices.Concat(checks, machines)},
		"only the mutating":      {apis(mutating...), declares},
		"both":                   {both, slices.Concat(checks, declares, machines)},
		"checks switched off":    {append(both, "--set", "admissionPolicies.validate=Off"), slices.Concat(declares, machines)},
		"declared readiness off": {append(both, "--set", "admissionPolicies.declaredReadiness=false"), slices.Concat(checks, machines)},
		"readiness off":          {append(both, "--set", "readiness.enabled=false"), slices.Concat(checks, machines)},
		"invitations off":        {append(both, "--set", "invitations.enabled=false"), slices.Concat(checks, declares)},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, o := range parse(t, render(t, tc.args...)) {
				if slices.Contains(slices.Concat(validating, mutating), o.kind()) {
					got = append(got, o.kind()+" "+o.name())
				}
			}
			slices.Sort(got)
			slices.Sort(tc.want)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("policies (-want +got):\n%s", diff)
			}
		})
	}
}

// policies renders the policies of the release in a namespace and returns their specs by
// name.
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
	if len(first) == 0 || len(second) != len(first) {
		t.Fatalf("%d and %d policies and bindings", len(first), len(second))
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

func TestTheActionOfTheChecksIsAValueAndMachinesAreAlwaysDenied(t *testing.T) {
	for _, action := range []string{"Deny", "Warn"} {
		for name, o := range policies(t, "ewc", "mesh-vms", "--set", "admissionPolicies.validate="+action) {
			if o.kind() != "ValidatingAdmissionPolicyBinding" {
				continue
			}
			want := "Deny"
			if strings.HasPrefix(o.name(), "validate.") {
				want = action
			}
			if diff := cmp.Diff([]any{want}, o.at("spec", "validationActions")); diff != "" {
				t.Errorf("actions of %s (-want +got):\n%s", name, diff)
			}
		}
	}
}

func TestTheLimitsOfTokensAreValues(t *testing.T) {
	found := false
	for _, o := range policies(t, "ewc", "mesh-vms", "--set", "invitations.maximumTokenLifetime=24h,invitations.tokenAudiences={one,two}") {
		if !strings.HasPrefix(o.name(), "machine-tokens.") || o.kind() != "ValidatingAdmissionPolicy" {
			continue
		}
		found = true
		got := map[string]string{}
		for _, v := range decode[[]struct{ Name, Expression string }](t, o.at("spec", "variables")) {
			got[v.Name] = v.Expression
		}
		want := map[string]string{"account": got["account"], "maximumLifetime": "'24h'", "permittedAudiences": `["one","two"]`}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("variables (-want +got):\n%s", diff)
		}
	}
	if !found {
		t.Error("there is no policy for tokens")
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

// The policy must have all CEL rules of the CRD, with the same messages. It has more rules,
// for what the CRD's schema checks.
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
			t.Errorf("the policy has no rule with the message: %s", message)
		}
	}
}
