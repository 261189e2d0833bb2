package machine

import (
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/external-workload/controller/pkg/invitation"
)

func TestWhichTokensAMachineMayRequest(t *testing.T) {
	c := newCluster(t, true)
	core, _ := c.clients(c.config(c.invite()))
	// A Secret that exists: its UID would be in the token.
	secret, err := c.core.CoreV1().Secrets(namespace).Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "password"}}, metav1.CreateOptions{})
	c.must(err)
	own := invitation.Account("vm-1")
	_, err = c.core.CoreV1().ServiceAccounts(namespace).Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "other"}}, metav1.CreateOptions{})
	c.must(err)
	for _, test := range []struct {
		sentence, account string
		change            func(*authenticationv1.TokenRequestSpec)
		refused           func(error) bool
	}{
		{"one like the last", own, func(*authenticationv1.TokenRequestSpec) {}, nil},
		{"one of the maximum", own, func(s *authenticationv1.TokenRequestSpec) { s.ExpirationSeconds = new(int64(720 * 3600)) }, nil},
		{"one of more than the maximum", own, func(s *authenticationv1.TokenRequestSpec) { s.ExpirationSeconds = new(int64(720*3600 + 1)) }, apierrors.IsInvalid},
		{"one for somebody else than the API server", own, func(s *authenticationv1.TokenRequestSpec) { s.Audiences = []string{"vault"} }, apierrors.IsInvalid},
		{"one that would reveal the UID of a Secret", own, func(s *authenticationv1.TokenRequestSpec) {
			s.BoundObjectRef = &authenticationv1.BoundObjectReference{Kind: "Secret", APIVersion: "v1", Name: secret.Name}
		}, apierrors.IsInvalid},
		{"one of another account", "other", func(*authenticationv1.TokenRequestSpec) {}, apierrors.IsForbidden},
	} {
		request := tokenRequest(3600)
		test.change(&request.Spec)
		_, err := core.CoreV1().ServiceAccounts(namespace).CreateToken(t.Context(), test.account, request, metav1.CreateOptions{})
		switch {
		case test.refused == nil && err != nil:
			t.Errorf("%s: %v", test.sentence, err)
		case test.refused != nil && !test.refused(err):
			t.Errorf("%s: error %v", test.sentence, err)
		}
	}
}
