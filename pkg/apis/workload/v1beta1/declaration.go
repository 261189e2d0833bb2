package v1beta1

import (
	"fmt"
	"slices"
	"strings"
)

// The spellings of declarations, in any case. The first two lists are booleans in YAML,
// quoted or not, including y and n, which only some YAML parsers accept. The third one
// has words that are not booleans, but clearly mean that the machine should not get
// traffic.
var (
	wordsTrue        = []string{"true", "yes", "on", "y"}
	wordsFalse       = []string{"false", "no", "off", "n"}
	wordsWithdrawing = []string{"0", "not ready", "not-ready", "notready", "unready", "unavailable", "disabled", "disable", "down", "drain", "drained", "stopped", "none", "null", "~", "f"}
)

// ParseDeclaration parses a declared readiness, such as the value of ReadyAnnotation. ok
// is true if it is valid; if it is not, withdraws is true if it clearly means "not
// ready", so that the machine is withdrawn nevertheless. A value for which both are
// false changes nothing.
func ParseDeclaration(value string) (status ConditionStatus, ok, withdraws bool) {
	word := strings.ToLower(strings.Trim(strings.TrimSpace(value), `"'`))
	word = strings.TrimSpace(word)
	switch {
	case slices.Contains(wordsTrue, word):
		return ConditionTrue, true, false
	case slices.Contains(wordsFalse, word):
		return ConditionFalse, true, true
	case word == "unknown":
		return ConditionUnknown, true, true
	case slices.Contains(wordsWithdrawing, word):
		return ConditionFalse, false, true
	default:
		return "", false, false
	}
}

// InvalidDeclaration says what is wrong with a declared readiness that ParseDeclaration
// finds invalid. origin is where it stands.
func InvalidDeclaration(value, origin string) string {
	return fmt.Sprintf("%s is %q; it must be \"True\", \"False\" or \"Unknown\"", origin, value)
}
