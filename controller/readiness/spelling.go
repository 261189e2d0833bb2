package readiness

import "github.com/external-workload/controller/pkg/apis/workload/v1beta1"

// parseDeclaration parses a declared readiness as [v1beta1.ParseDeclaration] does, so
// that the plugin of kubectl reads the same.
func parseDeclaration(value string) (status v1beta1.ConditionStatus, ok, withdraws bool) {
	return v1beta1.ParseDeclaration(value)
}
