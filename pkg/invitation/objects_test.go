package invitation

import (
	"os"
	"regexp"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/external-workload/controller/internal/build"
)

// revocation finds the command of docs/uninstall.md that revokes all invitations.
var revocation = regexp.MustCompile(`(?m)^kubectl delete serviceaccounts --all-namespaces --selector (\S+)$`)

// TestUninstallingLeavesNoUnlimitedCredentials checks the documented order: the
// policies go with the release, so the credentials have to go first.
func TestUninstallingLeavesNoUnlimitedCredentials(t *testing.T) {
	text, err := os.ReadFile("../../docs/uninstall.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	found := revocation.FindStringSubmatchIndex(page)
	if found == nil {
		t.Fatalf("docs/uninstall.md has no command like %s", revocation)
	}
	if uninstall := strings.Index(page, "\nhelm uninstall "); uninstall < found[0] {
		t.Error("the invitations are revoked after helm uninstall, want before")
	}
	selector, err := labels.Parse(page[found[2]:found[3]])
	if err != nil {
		t.Fatal(err)
	}
	workload := build.Workload("shop/vm-1")
	account := ServiceAccount(workload)
	for kind, object := range map[string]metav1.Object{
		"ServiceAccount": account, "Role": Role(workload, account), "RoleBinding": RoleBinding(workload, account),
	} {
		if !selector.Matches(labels.Set(object.GetLabels())) {
			t.Errorf("the selector %s does not match the labels %v of the %s", selector, object.GetLabels(), kind)
		}
		if !strings.Contains(page, kind+"s") {
			t.Errorf("docs/uninstall.md does not say that %ss stay", kind)
		}
	}
	if selector.Matches(labels.Set{}) {
		t.Errorf("the selector %s also matches ServiceAccounts of others", selector)
	}
}
