package readiness

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

func TestDraining(t *testing.T) {
	drained := annotated(v1beta1.DrainAnnotation, "true")
	earlier := noon.Add(-time.Hour)
	requested := is(v1beta1.WorkloadDraining, "True", ReasonDrainRequested, "requested by the annotation "+v1beta1.DrainAnnotation)
	deleting := func(w *v1beta1.ExternalWorkload) { w.DeletionTimestamp = new(metav1.NewTime(noon)) }
	foreign := is(v1beta1.WorkloadDraining, "False", "Other", "")
	for sentence, test := range map[string]struct {
		workload *v1beta1.ExternalWorkload
		want     []v1beta1.WorkloadCondition
		differs  bool
	}{
		"a drained workload gets the condition now":          {workload("a", drained), []v1beta1.WorkloadCondition{since(requested, noon)}, true},
		"the transition time is kept":                        {workload("a", drained, having(since(requested, earlier))), []v1beta1.WorkloadCondition{since(requested, earlier)}, false},
		"undrain removes the condition":                      {workload("a", having(since(requested, earlier))), []v1beta1.WorkloadCondition{}, true},
		"an empty value drains nothing":                      {workload("a", annotated(v1beta1.DrainAnnotation, "")), nil, false},
		"a deletion keeps the transition time":               {workload("a", deleting, having(since(requested, earlier))), []v1beta1.WorkloadCondition{since(is(v1beta1.WorkloadDraining, "True", ReasonDeleting, "the object is being deleted"), earlier)}, true},
		"another writer's condition is kept without a drain": {workload("a", having(foreign)), []v1beta1.WorkloadCondition{foreign}, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			got, differs := merge(test.workload.Status.Conditions, decide(test.workload, nil), noon, func(time.Time) bool { return false })
			if diff := cmp.Diff(test.want, got); diff != "" || differs != test.differs {
				t.Errorf("differs is %v, want %v; -want +got\n%s", differs, test.differs, diff)
			}
		})
	}
}
