package readiness

import (
	"slices"
	"strings"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// The words that are taken for a declaration, in any case. The first two lists
// are what YAML takes for a boolean, quoted or not, with y and n, which only some
// of its readers take for one. A word of withdrawing says clearly that the machine
// is not to get traffic, though it is no boolean.
var (
	wordsTrue        = []string{"true", "yes", "on", "y"}
	wordsFalse       = []string{"false", "no", "off", "n"}
	wordsWithdrawing = []string{"0", "not ready", "not-ready", "notready", "unready", "unavailable", "disabled", "disable", "down", "drain", "drained", "stopped", "none", "null", "~", "f"}
)

// parseDeclaration reads a declared readiness. ok is whether it can be read; if it
// cannot, withdraws is whether it clearly says that the machine is not ready, so
// that it is withdrawn all the same.
func parseDeclaration(value string) (status v1beta1.ConditionStatus, ok, withdraws bool) {
	word := strings.ToLower(strings.Trim(strings.TrimSpace(value), `"'`))
	word = strings.TrimSpace(word)
	switch {
	case slices.Contains(wordsTrue, word):
		return v1beta1.ConditionTrue, true, false
	case slices.Contains(wordsFalse, word):
		return v1beta1.ConditionFalse, true, true
	case word == "unknown":
		return v1beta1.ConditionUnknown, true, true
	case slices.Contains(wordsWithdrawing, word):
		return v1beta1.ConditionFalse, false, true
	default:
		return "", false, false
	}
}
