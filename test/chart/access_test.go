package chart

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// verbs are all verbs of RBAC for objects.
var verbs = []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"}

// needed are the permissions that the controller uses in the namespaces that it serves.
var needed = map[string][]string{
	"/services":                                    {"list", "watch"},
	"/services/finalizers":                         {"update"},
	"workload.linkerd.io/externalworkloads":        {"list", "watch"},
	"workload.linkerd.io/externalworkloads/status": {"update"},
	"discovery.k8s.io/endpointslices":              {"get", "list", "watch", "create", "update", "delete"},
	"events.k8s.io/events":                         {"create", "patch"},
	"coordination.k8s.io/leases":                   nil,
	"/secrets":                                     nil,
	"/configmaps":                                  nil,
	"/pods":                                        nil,
	"/nodes":                                       nil,
	"/serviceaccounts/token":                       nil,
	"/events":                                      nil,
	"apps/deployments":                             nil,
	"discovery.k8s.io/endpointslices/restricted": nil,
	"rbac.authorization.k8s.io/clusterroles":     nil,
}

// expect checks every verb on every resource of the table.
func (c cluster) expect(t *testing.T, table map[string][]string, namespace string) {
	t.Helper()
	for resource, allowed := range table {
		want := map[string]bool{}
		for _, verb := range allowed {
			want[verb] = true
		}
		for _, verb := range verbs {
			if got := c.may(t, verb, resource, namespace, "some"); got != want[verb] {
				t.Errorf("%s %s in namespace %q: allowed %v, want %v", verb, resource, namespace, got, want[verb])
			}
		}
	}
}

// expectLease checks every verb on the Lease of that name.
func (c cluster) expectLease(t *testing.T, namespace, name string, allowed ...string) {
	t.Helper()
	for _, verb := range verbs {
		want := false
		for _, a := range allowed {
			want = want || a == verb
		}
		if got := c.may(t, verb, "coordination.k8s.io/leases", namespace, name); got != want {
			t.Errorf("%s Lease %s/%s: allowed %v, want %v", verb, namespace, name, got, want)
		}
	}
}

func nothing() map[string][]string {
	table := map[string][]string{}
	for resource := range needed {
		table[resource] = nil
	}
	return table
}

func TestTheAccountMayDoWhatItNeedsAndNothingElse(t *testing.T) {
	c := newCluster(t)
	for _, name := range []string{"shop", "warehouse", "linkerd"} {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if _, err := c.core.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	const lease = "ewc-external-workload-controller"
	t.Run("all namespaces", func(t *testing.T) {
		c.helm(t, "install", chartDir, "--create-namespace")
		c.expect(t, needed, "shop")
		c.expect(t, needed, "") // lists and watches of the whole cluster
		c.expect(t, map[string][]string{"networking.k8s.io/servicecidrs": {"list"}}, "")
		c.expectLease(t, "mesh-vms", lease, "get", "update", "create")
		c.expectLease(t, "mesh-vms", "another", "create")
		c.expectLease(t, "linkerd", "linkerd-destination-endpoint-write")
		for _, review := range []string{"authentication.k8s.io/tokenreviews", "authorization.k8s.io/subjectaccessreviews"} {
			if !c.may(t, "create", review, "", "") {
				t.Errorf("may not create %s, so nobody can read the metrics", review)
			}
		}
	})
	t.Run("only shop, taking over", func(t *testing.T) {
		c.helm(t, "upgrade", chartDir, "--set", "namespaces={shop},metrics.secure=false,linkerd.takeOver=true")
		c.expect(t, needed, "shop")
		c.expect(t, map[string][]string{"networking.k8s.io/servicecidrs": nil}, "")
		for _, other := range []string{"warehouse", "linkerd", ""} {
			c.expect(t, nothing(), other)
		}
		c.expectLease(t, "linkerd", "linkerd-destination-endpoint-write", "get", "update")
		c.expectLease(t, "linkerd", "another")
		if c.may(t, "create", "authentication.k8s.io/tokenreviews", "", "") {
			t.Error("may create TokenReviews although the metrics are open")
		}
	})
}
