package traefik

import (
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// grant lets Traefik read what it watches, and write the status of the Gateway API's objects.
func (c *cluster) grant() {
	c.Helper()
	read := []string{"get", "list", "watch"}
	_, err := c.kube.RbacV1().ClusterRoles().Create(c.Context(), &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: traefikName},
		Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"services", "secrets", "nodes", "namespaces", "configmaps"}, Verbs: read},
			{APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}, Verbs: read},
			{APIGroups: []string{networkingv1.GroupName}, Resources: []string{"ingresses", "ingressclasses"}, Verbs: read},
			{APIGroups: []string{gatewayv1.GroupName}, Resources: gatewayResources, Verbs: read},
			{APIGroups: []string{gatewayv1.GroupName}, Resources: statusOf(gatewayResources), Verbs: []string{"update"}},
		},
	}, metav1.CreateOptions{})
	c.must(err)
	_, err = c.kube.RbacV1().ClusterRoleBindings().Create(c.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: traefikName},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: traefikName},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: traefikName}},
	}, metav1.CreateOptions{})
	c.must(err)
}

func statusOf(resources []string) []string {
	var all []string
	for _, resource := range resources {
		all = append(all, resource+"/status")
	}
	return all
}
