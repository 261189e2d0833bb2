package machine

import (
	"os"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/external-workload/controller/pkg/invitation"
	"github.com/external-workload/controller/test/internal/netns"
)

func TestTheLifeOfAMachine(t *testing.T) {
	c := newCluster(t, true)
	c.startController()
	c.must(netns.AddAddress("10.77.0.7/32"))
	defer func() { c.must(netns.RemoveAddress("10.77.0.7/32")) }()
	kubeconfig := c.invite()
	before := c.token(kubeconfig)

	c.expect(0, "externalworkload/vm-1 is ready at 10.77.0.7", kubeconfig, "register")
	c.expect(0, "externalworkload/vm-1 is registered at 10.77.0.7 already", kubeconfig, "register")
	after := c.token(kubeconfig)
	if after.Lifetime() != 720*time.Hour || !after.Expires.After(before.Expires) {
		t.Errorf("the token's lifetime is %s after registering and %s before, want 720h", after.Lifetime(), before.Lifetime())
	}
	if info, err := os.Stat(kubeconfig); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the kubeconfig has mode %v, want 0600 (%v)", info.Mode(), err)
	}

	c.expect(0, "externalworkload/vm-1 registered at 10.77.0.8", kubeconfig, "register", "--ip", "10.77.0.8")
	c.expect(1, "the invitation does not permit 10.99.0.8", kubeconfig, "register", "--ip", "10.99.0.8")

	c.expect(0, "the controller takes it out of all slices", kubeconfig, "drain", "--grace", "0s")
	c.expect(0, "externalworkload/vm-1 is drained already", kubeconfig, "drain", "vm-1", "--grace", "0s")
	c.expect(1, "a machine cannot delete its ExternalWorkload", kubeconfig, "drain", "--delete", "--grace", "0s")
	c.expect(0, "externalworkload/vm-1 is ready at 10.77.0.7", kubeconfig, "register")
	if workload := c.workload("vm-1"); workload.Drained() {
		t.Error("the machine is drained after it has registered again")
	}

	c.expect(0, "externalworkload/vm-1 drained", c.plane.Kubeconfig(), "drain", "vm-1", "-n", namespace, "--grace", "0s")
	c.expect(2, "it is drained", kubeconfig, "register", "--timeout", "1s")
	c.expect(1, "a machine ends only its own drain", kubeconfig, "undrain")
	c.expect(0, "externalworkload/vm-1 undrained", c.plane.Kubeconfig(), "undrain", "vm-1", "-n", namespace)

	c.must(c.workloads.WorkloadV1beta1().ExternalWorkloads(namespace).Delete(t.Context(), "vm-1", metav1.DeleteOptions{}))
	c.eventually("the account, its Role and its RoleBinding follow the ExternalWorkload", func() bool {
		account := invitation.Account("vm-1")
		_, noAccount := c.core.CoreV1().ServiceAccounts(namespace).Get(t.Context(), account, metav1.GetOptions{})
		_, noRole := c.core.RbacV1().Roles(namespace).Get(t.Context(), account, metav1.GetOptions{})
		_, noBinding := c.core.RbacV1().RoleBindings(namespace).Get(t.Context(), account, metav1.GetOptions{})
		return c.gone(noAccount) && c.gone(noRole) && c.gone(noBinding)
	})
	c.expect(1, "ask an administrator for a new one: kubectl external-workload invite vm-1 -n shop", kubeconfig, "register")
}

// token returns the token of a kubeconfig.
func (c *cluster) token(kubeconfig string) invitation.Token {
	c.Helper()
	token, err := invitation.ParseToken(c.config(kubeconfig).BearerToken)
	c.must(err)
	return token
}

func TestInvitingAgainChangesOnlyWhatDiffers(t *testing.T) {
	c := newCluster(t, true)
	kubeconfig := c.invite()
	c.expect(2, "externalworkload/vm-1 registered at 10.77.0.7", kubeconfig, "register", "--ip", "10.77.0.7", "--timeout", "100ms")
	first := c.workload("vm-1")
	c.invite()
	second := c.workload("vm-1")
	if first.ResourceVersion != second.ResourceVersion {
		t.Errorf("inviting again has written the ExternalWorkload: %+v", second)
	}
	c.expect(0, "externalworkload/vm-1 configured", c.plane.Kubeconfig(), "invite", "vm-1", "-n", namespace, "--cidr", "10.77.0.0/24")
	third := c.workload("vm-1")
	if got := third.Annotations["external-workload.io/invited-cidrs"]; got != "10.77.0.0/24" {
		t.Errorf("the permitted ranges are %q after another invitation", got)
	}
	if len(third.Spec.WorkloadIPs) != 1 || third.Spec.WorkloadIPs[0].IP != "10.77.0.7" {
		t.Errorf("another invitation has changed the addresses to %v", third.Spec.WorkloadIPs)
	}
	c.expect(0, "", kubeconfig, "drain", "--grace", "0s")
}

// TestAMachineMovesToOtherRanges invites a machine again without its manifest.
func TestAMachineMovesToOtherRanges(t *testing.T) {
	c := newCluster(t, true)
	const other = "10.78.0.0/16"
	kubeconfig := c.invite("--cidr", other)
	c.expect(2, "externalworkload/vm-1 registered at 10.77.0.7", kubeconfig, "register", "--ip", "10.77.0.7", "--timeout", "100ms")
	c.expect(2, "externalworkload/vm-1 registered at 10.78.0.7", kubeconfig, "register", "--ip", "10.78.0.7", "--timeout", "100ms")
	c.expect(0, "warning: vm-1 keeps the address 10.78.0.7, which is outside of 10.79.0.0/16, until it registers at a permitted one",
		c.plane.Kubeconfig(), "invite", "vm-1", "-n", namespace, "--cidr", "10.79.0.0/16")
	if got := c.registeredAt(); got != "10.78.0.7" {
		t.Errorf("another invitation has changed the address to %q", got)
	}
	c.expect(1, "the invitation does not permit 10.78.0.7, only addresses in 10.79.0.0/16", kubeconfig, "register", "--ip", "10.78.0.7")
	c.expect(2, "externalworkload/vm-1 registered at 10.79.0.7", kubeconfig, "register", "--ip", "10.79.0.7", "--timeout", "100ms")
}

func TestDeletingTheServiceAccountRevokes(t *testing.T) {
	c := newCluster(t, true)
	kubeconfig := c.invite()
	account := invitation.Account("vm-1")
	_, workloads := c.clients(c.config(kubeconfig))
	_, err := workloads.WorkloadV1beta1().ExternalWorkloads(namespace).Get(t.Context(), "vm-1", metav1.GetOptions{})
	c.must(err)
	c.must(c.core.CoreV1().ServiceAccounts(namespace).Delete(t.Context(), account, metav1.DeleteOptions{}))
	// Without its Role the credential has no permissions at once. The API server caches the token
	// itself for some seconds.
	c.eventually("the API server has forgotten the token", func() bool {
		_, err := workloads.WorkloadV1beta1().ExternalWorkloads(namespace).Get(t.Context(), "vm-1", metav1.GetOptions{})
		return apierrors.IsUnauthorized(err)
	})
	c.expect(1, "it was revoked", kubeconfig, "register")
	old, err := os.ReadFile(kubeconfig)
	c.must(err)
	c.invite()
	c.expect(1, "it was revoked", c.file("old.kubeconfig", string(old)), "register")
}

func TestWithoutThePoliciesNothingIsLeft(t *testing.T) {
	c := newCluster(t, false)
	c.expect(1, "install the chart with invitations.enabled=true", c.plane.Kubeconfig(),
		"invite", "vm-1", "-n", namespace, "-f", c.file("vm-1.yaml", manifest), "--cidr", machineNetwork)
	account := invitation.Account("vm-1")
	for what, get := range map[string]func() error{
		"ExternalWorkload": func() error {
			_, err := c.workloads.WorkloadV1beta1().ExternalWorkloads(namespace).Get(t.Context(), "vm-1", metav1.GetOptions{})
			return err
		},
		"ServiceAccount": func() error {
			_, err := c.core.CoreV1().ServiceAccounts(namespace).Get(t.Context(), account, metav1.GetOptions{})
			return err
		},
		"Role": func() error {
			_, err := c.core.RbacV1().Roles(namespace).Get(t.Context(), account, metav1.GetOptions{})
			return err
		},
		"RoleBinding": func() error {
			_, err := c.core.RbacV1().RoleBindings(namespace).Get(t.Context(), account, metav1.GetOptions{})
			return err
		},
	} {
		if !c.gone(get()) {
			t.Errorf("a %s is left", what)
		}
	}
}

// tokenRequest requests a token with a lifetime in seconds.
func tokenRequest(seconds int64) *authenticationv1.TokenRequest {
	return &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}
}

// patchAs sends a JSON merge patch.
func (c *cluster) patchAs(kubeconfig, patch string) error {
	c.Helper()
	_, workloads := c.clients(c.config(kubeconfig))
	_, err := workloads.WorkloadV1beta1().ExternalWorkloads(namespace).Patch(c.Context(), "vm-1", types.MergePatchType, []byte(patch),
		metav1.PatchOptions{FieldManager: invitation.FieldManager})
	return err
}
