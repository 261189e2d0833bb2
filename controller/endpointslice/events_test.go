package endpointslice

import (
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"github.com/external-workload/controller/pkg/desired"
	"github.com/external-workload/controller/pkg/events"
)

func TestEverySkipReasonHasAnEvent(t *testing.T) {
	declared := map[string]bool{}
	for _, kind := range EventKinds() {
		declared[kind.Reason()] = true
	}
	for _, reason := range desired.Reasons {
		if kind := skippedKind(reason); kind == (events.Kind{}) || !declared[string(reason)] {
			t.Errorf("%s has no Event", reason)
		}
	}
}

// TestReferencesNameTheirObject: without a UID kubectl describe shows no Event.
func TestReferencesNameTheirObject(t *testing.T) {
	got := reference(&desired.Workload{Namespace: "shop", Name: "a", UID: types.UID("1")})
	if got.Kind != "ExternalWorkload" || got.APIVersion != "workload.linkerd.io/v1beta1" || got.UID != "1" || got.Namespace != "shop" || got.Name != "a" {
		t.Errorf("got %+v", got)
	}
}
