package readiness

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// Kubernetes 1.31 and 1.32 refuse every status write while another field of the object
// violates the CRD.
func TestARefusedStatusIsReportedOnceAndNotRetriedForEver(t *testing.T) {
	inWorld(t, nil, Config{}, func(w *world) {
		refusal := apierrors.NewInvalid(schema.GroupKind{Group: v1beta1.GroupName, Kind: "ExternalWorkload"}, "a",
			field.ErrorList{field.Invalid(field.NewPath("spec", "workloadIPs").Index(0), "127.0.0.1", "no machine can be reached at this address")})
		tries := 0
		w.whenUpdated(func(*v1beta1.ExternalWorkload) error {
			tries++
			return refusal
		})
		created := workload("a", declared("True"))
		if _, err := w.client.WorkloadV1beta1().ExternalWorkloads(created.Namespace).Create(t.Context(), created, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		want := []string{"Warning StatusRefused: The API server does not store the conditions of this workload, because the object breaks rules of its definition; " +
			"repair what it names: " + refusal.Error()}
		w.do(func() {
			if diff := cmp.Diff(want, w.events); diff != "" {
				t.Errorf("Events (-want +got):\n%s", diff)
			}
			if tries < 5 || tries > 7 {
				t.Errorf("%d tries in an hour, want one every ten minutes", tries)
			}
		})
	})
}
