package endpointslice

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// decoded is a workload of which every text and map is its own, as a decoder
// makes it.
func decoded(name string, options ...build.WorkloadOption) *v1beta1.ExternalWorkload {
	w := build.Workload("shop/"+name, options...).DeepCopy()
	w.Namespace = strings.Clone(w.Namespace)
	for i := range w.Spec.Ports {
		w.Spec.Ports[i].Name = strings.Clone(w.Spec.Ports[i].Name)
	}
	for i := range w.Status.Conditions {
		w.Status.Conditions[i].Reason = strings.Clone(w.Status.Conditions[i].Reason)
	}
	return w
}

func trimmed(t *testing.T, s *shares, w *v1beta1.ExternalWorkload) *v1beta1.ExternalWorkload {
	t.Helper()
	object, err := s.trimWorkload(w)
	if err != nil {
		t.Fatal(err)
	}
	return object.(*v1beta1.ExternalWorkload)
}

func TestEqualPartsOfWorkloadsAreShared(t *testing.T) {
	s := newShares()
	a, b := trimmed(t, s, decoded("a")), trimmed(t, s, decoded("b"))
	if reflect.ValueOf(a.Labels).Pointer() != reflect.ValueOf(b.Labels).Pointer() {
		t.Error("equal labels are kept twice")
	}
	for what, texts := range map[string][2]string{
		"the namespace": {a.Namespace, b.Namespace},
		"a port's name": {a.Spec.Ports[0].Name, b.Spec.Ports[0].Name},
	} {
		if unsafe.StringData(texts[0]) != unsafe.StringData(texts[1]) {
			t.Errorf("%s, %q, is kept twice", what, texts[0])
		}
	}
}

func TestSharingChangesNothing(t *testing.T) {
	s := newShares()
	for _, want := range []*v1beta1.ExternalWorkload{
		decoded("a"),
		decoded("b", build.NoLabels(), build.Label("app", "other")),
		decoded("c", build.NoLabels(), build.Label("other", "app")),
		decoded("d", build.NoLabels()),
	} {
		if diff := cmp.Diff(want, trimmed(t, s, want.DeepCopy())); diff != "" {
			t.Errorf("workload %s is not kept as it is (-is +kept):\n%s", want.Name, diff)
		}
	}
}

func TestSharesAreBounded(t *testing.T) {
	s := newShares()
	for i := range 3 * maxShares {
		value := fmt.Sprint(i)
		if got := s.text(value); got != value {
			t.Fatalf("text %q became %q", value, got)
		}
		if diff := cmp.Diff(map[string]string{"only": value}, s.labelsOf(map[string]string{"only": value})); diff != "" {
			t.Fatal(diff)
		}
	}
	if len(s.texts) > maxShares || len(s.labels) > maxShares {
		t.Errorf("%d texts and %d labels are remembered, want at most %d of each", len(s.texts), len(s.labels), maxShares)
	}
}
