package oracle

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/google/go-cmp/cmp"
)

func TestLabelsAreTheServicesWithoutTheReservedThree(t *testing.T) {
	labelled := func(s *corev1.Service) {
		s.Labels = map[string]string{
			"team":                                   "shop",
			"kubernetes.io/service-name":             "forged",
			"endpointslice.kubernetes.io/managed-by": "forged",
			"service.kubernetes.io/headless":         "forged",
		}
	}
	want := map[string]string{
		"team":                                   "shop",
		"kubernetes.io/service-name":             "web",
		"endpointslice.kubernetes.io/managed-by": "linkerd-external-workloads-controller",
	}
	key := types.NamespacedName{Namespace: "shop", Name: "web"}
	got := Compute(Rules{}, []corev1.Service{makeService(labelled)}, nil)[key].Labels
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	want["service.kubernetes.io/headless"] = ""
	got = Compute(Rules{}, []corev1.Service{makeService(labelled, headless)}, nil)[key].Labels
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("labels of a headless Service (-want +got):\n%s", diff)
	}
}
