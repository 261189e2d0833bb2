package invitation

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

const (
	// accountPrefix begins the name of a machine's ServiceAccount. The admission
	// policies recognize machines by it.
	accountPrefix = "external-workload-machine-"

	// FieldManager is the field manager of a machine's writes; the admission
	// policy requires it.
	FieldManager = "external-workload-machine"

	// Refusal is how the chart's admission policy begins to say that a machine may
	// not change its labels.
	Refusal = "a machine may not change labels"

	// KindLabel is the label of a ServiceAccount, Role or RoleBinding of an
	// invitation; its value is the kind of invitation.
	KindLabel = "external-workload.io/invitation"

	// KindMachine is the value of KindLabel for an invitation of one machine.
	KindMachine = "machine"
)

// maximumName is the maximum length of a workload's name that leaves room for the
// prefix in the name of a ServiceAccount.
const maximumName = validation.DNS1123SubdomainMaxLength - len(accountPrefix)

// Account is the name of the ServiceAccount, Role and RoleBinding of a machine.
func Account(workload string) string { return accountPrefix + workload }

// CheckName reports whether a workload of this name can be invited.
func CheckName(workload string) error {
	if problems := validation.IsDNS1123Subdomain(workload); len(problems) > 0 {
		return fmt.Errorf("%q is no name of an ExternalWorkload: %s", workload, problems[0])
	}
	if len(workload) > maximumName {
		return fmt.Errorf("the name %q has %d characters; a machine that is invited may have %d, since its ServiceAccount is named %sNAME",
			workload, len(workload), maximumName, accountPrefix)
	}
	return nil
}

// workloadOf is the workload whose machine has an account.
func workloadOf(account string) (string, bool) { return strings.CutPrefix(account, accountPrefix) }
