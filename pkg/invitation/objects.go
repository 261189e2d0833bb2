package invitation

import (
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/external-workload/controller/pkg/apis/workload"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// ServiceAccount is the account of a workload's machine. Pods do not mount its
// tokens. The workload needs its UID.
func ServiceAccount(w *v1beta1.ExternalWorkload) *corev1.ServiceAccount {
	return &corev1.ServiceAccount{
		ObjectMeta: metadata(w, metav1.OwnerReference{
			APIVersion: v1beta1.GroupVersion.String(), Kind: "ExternalWorkload", Name: w.Name, UID: w.UID,
		}),
		AutomountServiceAccountToken: new(bool),
	}
}

// Role is what the machine may do: read and patch its own ExternalWorkload, and
// request tokens of its own account. It may not delete its ExternalWorkload,
// because that would end its invitation, and it could not come back.
func Role(w *v1beta1.ExternalWorkload, account *corev1.ServiceAccount) *rbacv1.Role {
	return &rbacv1.Role{
		ObjectMeta: metadata(w, accountOwner(account)),
		Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{workload.GroupName}, Resources: []string{"externalworkloads"}, ResourceNames: []string{w.Name}, Verbs: []string{"get", "list", "watch", "patch"}},
			{APIGroups: []string{corev1.GroupName}, Resources: []string{"serviceaccounts/token"}, ResourceNames: []string{account.Name}, Verbs: []string{"create"}},
		},
	}
}

// RoleBinding gives the Role to the account.
func RoleBinding(w *v1beta1.ExternalWorkload, account *corev1.ServiceAccount) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		ObjectMeta: metadata(w, accountOwner(account)),
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: Account(w.Name)},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: w.Namespace, Name: account.Name}},
	}
}

func metadata(w *v1beta1.ExternalWorkload, owner metav1.OwnerReference) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: w.Namespace, Name: Account(w.Name),
		Labels:          map[string]string{KindLabel: KindMachine},
		OwnerReferences: []metav1.OwnerReference{owner},
	}
}

func accountOwner(account *corev1.ServiceAccount) metav1.OwnerReference {
	return metav1.OwnerReference{APIVersion: "v1", Kind: "ServiceAccount", Name: account.Name, UID: account.UID}
}

// Owns reports whether an object is part of the invitation of the owner with this
// UID.
func Owns(owner metav1.Object, object metav1.Object) bool {
	for _, reference := range object.GetOwnerReferences() {
		if reference.UID == owner.GetUID() {
			return true
		}
	}
	return false
}
