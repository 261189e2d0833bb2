package machine

import (
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestTheRoleAdminIsEnoughToInvite has a user with the ClusterRole admin in the namespace,
// including the chart's aggregated rules, and one with edit, who must not create Roles.
func TestTheRoleAdminIsEnoughToInvite(t *testing.T) {
	c := newCluster(t, true)
	_, err := c.core.RbacV1().ClusterRoles().Create(t.Context(), &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "externalworkloads", Labels: map[string]string{
			"rbac.authorization.k8s.io/aggregate-to-admin": "true", "rbac.authorization.k8s.io/aggregate-to-edit": "true",
		}},
		Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{"workload.linkerd.io"}, Resources: []string{"externalworkloads"},
			Verbs: []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"},
		}},
	}, metav1.CreateOptions{})
	c.must(err)
	kubeconfigs := map[string]string{}
	for _, role := range []string{"admin", "edit"} {
		user, err := c.plane.NewUser(role + "-of-shop")
		c.must(err)
		kubeconfigs[role] = user.Kubeconfig
		_, err = c.core.RbacV1().RoleBindings(namespace).Create(t.Context(), &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: role},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: role + "-of-shop"}},
		}, metav1.CreateOptions{})
		c.must(err)
		c.eventually("the rules are aggregated to "+role, func() bool { return c.mayPatch(role + "-of-shop") })
	}
	args := []string{"invite", "vm-1", "-n", namespace, "-f", c.file("vm-1.yaml", manifest), "--cidr", machineNetwork}
	c.expect(1, `no permission to get roles in namespace "shop"`, kubeconfigs["edit"], args...)
	if _, err := c.workloads.WorkloadV1beta1().ExternalWorkloads(namespace).Get(t.Context(), "vm-1", metav1.GetOptions{}); !c.gone(err) {
		t.Error("the user without permission has created an ExternalWorkload")
	}
	got := c.expect(0, "vm-1 may register until", kubeconfigs["admin"], args...)
	c.expect(2, "externalworkload/vm-1 registered at 10.77.0.7", c.file("vm-1.kubeconfig", got.out), "register", "--ip", "10.77.0.7", "--timeout", "100ms")
}

// mayPatch checks whether a user may patch ExternalWorkloads.
func (c *cluster) mayPatch(user string) bool {
	c.Helper()
	review, err := c.core.AuthorizationV1().SubjectAccessReviews().Create(c.Context(), &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{User: user, ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: namespace, Verb: "patch", Group: "workload.linkerd.io", Resource: "externalworkloads",
		}},
	}, metav1.CreateOptions{})
	c.must(err)
	return review.Status.Allowed
}
