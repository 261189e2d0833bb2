package readiness

import (
	"slices"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// presentReasons say what the object or the configuration is like at present. They are
// untrue when that has changed. Other reasons say what a probe found, or are another
// writer's, and stay until probes decide.
var presentReasons = []string{
	ReasonProbePending, ReasonAddressChanged, ReasonProbeAddressRefused,
	ReasonNoAddress, ReasonInvalidProbe, ReasonHostNotAllowed, ReasonDeclared,
}

// mayReplace reports whether a condition is not True for a reason that can have become
// untrue. Whether a host may be probed is known after its first probe only, so until
// then a refusal stays. found may be nil.
func mayReplace(found *v1beta1.WorkloadCondition, targets ...target) bool {
	if found == nil || found.Status == v1beta1.ConditionTrue || !slices.Contains(presentReasons, found.Reason) {
		return false
	}
	return found.Reason != ReasonProbeAddressRefused || !slices.ContainsFunc(targets, target.unresolved)
}

// mayReplaceReady reports whether Ready, of a workload that no probe has proven, is to be
// False for the present reason.
func mayReplaceReady(workload *v1beta1.ExternalWorkload, targets ...target) bool {
	return isReady(workload) || mayReplace(find(workload.Status.Conditions, v1beta1.WorkloadReady), targets...)
}
