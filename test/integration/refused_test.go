package integration

import (
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/test/internal/controlplane"
)

// TestRefusedWrites makes the real API server refuse writes of slices: a policy refuses
// updates of one slice, and a quota refuses new slices.
func TestRefusedWrites(t *testing.T) {
	t.Run("a frozen slice does not block a withdrawal in another", func(t *testing.T) {
		newSite(t, sharedPlane(t)).testFrozenSlice()
	})
	t.Run("a hint for a nonexistent node is accepted", func(t *testing.T) {
		newSite(t, sharedPlane(t)).testNodeHint()
	})
	t.Run("a quota on slices and a change of the address family do not deadlock", func(t *testing.T) {
		newSite(t, planeWithQuotas(t)).testQuotaAndFamily()
	})
}

// planeWithQuotas returns a control plane that enforces quotas and creates no slices itself.
func planeWithQuotas(t *testing.T) *controlplane.ControlPlane {
	t.Helper()
	plane := controlplane.ForTest(t, controlplane.Options{
		ControllerManager: true,
		Flags:             map[controlplane.Component][]string{controlplane.ControllerManager: {"--controllers=resourcequota-controller"}},
	})
	if err := controlplane.InstallChartCRD(t.Context(), plane.AdminConfig()); err != nil {
		t.Fatal(err)
	}
	return plane
}

// testNodeHint publishes a machine of a Service with PreferSameNode.
func (s *site) testNodeHint() {
	s.needTraffic(corev1.ServiceTrafficDistributionPreferSameNode)
	s.service("web", build.Traffic(corev1.ServiceTrafficDistributionPreferSameNode))
	s.workload("a")
	s.eventually("the API server has stored the node hint", func() (bool, string) {
		for _, slice := range s.slicesOf("web") {
			for _, e := range slice.Endpoints {
				if e.Hints != nil && len(e.Hints.ForNodes) == 1 && e.Hints.ForNodes[0].Name == "external-workload.invalid" {
					return true, ""
				}
			}
		}
		return false, "no endpoint has it"
	})
}

// testFrozenSlice moves b from a slice that cannot be written to that of c, which becomes not
// ready at the same time.
func (s *site) testFrozenSlice() {
	other := build.WorkloadPorts(build.WorkloadPort("http", 9090, "TCP"))
	s.service("web", build.Ports(build.Port("http", 80, build.ToName("http"))))
	s.workload("a")
	s.workload("b", build.IPs("192.0.2.2"))
	s.workload("c", build.IPs("192.0.2.3"), other)
	frozen := "IPv4 http:8080/TCP | a 192.0.2.1 | b 192.0.2.2"
	s.waitFor("web", frozen, "IPv4 http:9090/TCP | c 192.0.2.3")
	s.freeze()
	client := s.workloads.WorkloadV1beta1().ExternalWorkloads(s.namespace)
	b, err := client.Get(s.t.Context(), "b", metav1.GetOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	b.Spec.Ports = build.Workload("shop/b", other).Spec.Ports
	if _, err := client.Update(s.t.Context(), b, metav1.UpdateOptions{}); err != nil {
		s.t.Fatal(err)
	}
	s.setReady("c", false)
	s.waitFor("web", frozen, "IPv4 http:9090/TCP | c 192.0.2.3 not ready")
	s.setReady("c", true)
	s.waitFor("web", frozen, "IPv4 http:9090/TCP | c 192.0.2.3")
}

// freeze refuses updates of the slice with port 8080, and returns when this is in effect.
func (s *site) freeze() {
	s.t.Helper()
	name := "freeze-" + s.namespace
	policies := s.core.AdmissionregistrationV1()
	_, err := policies.ValidatingAdmissionPolicies().Create(s.t.Context(), &admissionv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{
				RuleWithOperations: admissionv1.RuleWithOperations{
					Operations: []admissionv1.OperationType{admissionv1.Update},
					Rule: admissionv1.Rule{
						APIGroups: []string{"discovery.k8s.io"}, APIVersions: []string{"v1"}, Resources: []string{"endpointslices"},
					},
				},
			}}},
			Validations: []admissionv1.Validation{{
				Expression: `object.metadata.namespace != "` + s.namespace + `" || !oldObject.ports.exists(p, p.port == 8080)`,
				Message:    "this slice is frozen",
			}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	_, err = policies.ValidatingAdmissionPolicyBindings().Create(s.t.Context(), &admissionv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: name, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	s.eventually("the policy works", func() (bool, string) {
		for _, slice := range s.slicesOf("web") {
			if *slice.Ports[0].Port != 8080 {
				continue
			}
			_, err := s.core.DiscoveryV1().EndpointSlices(s.namespace).Update(s.t.Context(), &slice, metav1.UpdateOptions{DryRun: []string{metav1.DryRunAll}})
			return err != nil && strings.Contains(err.Error(), "this slice is frozen"), "an update is accepted"
		}
		return false, "no slice with port 8080"
	})
}

// testQuotaAndFamily changes the address family of a Service in a namespace whose quota of
// slices is used up.
func (s *site) testQuotaAndFamily() {
	s.service("web", build.Headless())
	s.workload("a", build.IPs("192.0.2.1", "2001:db8::1"))
	s.waitFor("web", "IPv4 http:8080/TCP | a 192.0.2.1 as a")
	const counted = corev1.ResourceName("count/endpointslices.discovery.k8s.io")
	quotas := s.core.CoreV1().ResourceQuotas(s.namespace)
	_, err := quotas.Create(s.t.Context(), &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "slices"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{counted: resource.MustParse("1")}},
	}, metav1.CreateOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	s.eventually("the quota is used up", func() (bool, string) {
		quota, err := quotas.Get(s.t.Context(), "slices", metav1.GetOptions{})
		if err != nil {
			return false, err.Error()
		}
		used := quota.Status.Used[counted]
		return used.Value() == 1, used.String()
	})
	// The primary family of a Service cannot change in place, so it is recreated.
	if err := s.core.CoreV1().Services(s.namespace).Delete(s.t.Context(), "web", metav1.DeleteOptions{}); err != nil {
		s.t.Fatal(err)
	}
	s.service("web", build.Headless(), build.Families(corev1.IPv6Protocol))
	s.eventually("the workload is published as IPv6", func() (bool, string) {
		for _, slice := range s.slicesOf("web") {
			if slice.AddressType == discoveryv1.AddressTypeIPv6 && len(slice.Endpoints) == 1 {
				return true, ""
			}
		}
		return false, "there is no such slice"
	})
}
