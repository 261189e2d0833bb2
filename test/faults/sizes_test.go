package faults_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/external-workload/controller/test/faults"
)

// mostAnnotations is Kubernetes' limit for an object's annotations in bytes.
const mostAnnotations = 256 << 10

// Fault: a namespace has workloads and Services with the maximum annotations and labels that
// the API server stores, which change continuously. One Service has more labels than a slice
// can hold.
// Promise: everything that can be published is published, also in other namespaces, and the
// memory stays within the chart's limit.
func TestObjectsAtTheirSizeLimits(t *testing.T) {
	const count = 5
	w := newWorld(t)
	hostile := w.newNamespace()
	w.seed(w.namespace, 5, 3)
	group := w.container()
	c := w.controllerWith(faults.ControllerOptions{Name: "alone", Flags: []string{"--leader-elect=false"}, Prefix: group.Prefix()})
	w.start(c)
	w.converges(30 * time.Second)
	before, usual := w.usage(c), w.latency(20, 5)

	annotated := map[string]string{"note": strings.Repeat("n", mostAnnotations-len("note"))}
	fits := w.mostLabels(hostile, annotated)
	for i := range count {
		app := serviceName(i)
		object := metav1.ObjectMeta{Name: app, Labels: manyLabels(fits, app), Annotations: annotated}
		if err := w.createServiceLike(hostile, object, app); err != nil {
			t.Fatal(err)
		}
		if err := w.createWorkloadLike(hostile, object, app, fmt.Sprintf("10.200.0.%d", i+1)); err != nil {
			t.Fatal(err)
		}
	}
	w.converges(2*time.Minute, hostile)
	settled := w.usage(c)

	changing := w.turning(hostile, serviceName(0), time.Millisecond)
	meanwhile := w.latency(20, 5)
	changing()
	w.relist(c, workloadName(0, 0))
	w.converges(2*time.Minute, hostile, w.namespace)
	peak := w.usage(c)
	t.Logf("%d objects with %d labels each; median of a flip in another namespace: usual %s, meanwhile %s", 2*count, fits, usual, meanwhile)
	t.Logf("resident: %d MiB before, %d MiB with them, %d MiB at the peak", before.Resident>>20, settled.Resident>>20, peak.Peak>>20)
	w.survived(c, group)
}

// mostLabels returns the maximum number of labels of a workload and a Service with these
// annotations.
func (w *world) mostLabels(namespace string, annotations map[string]string) int {
	w.Helper()
	for count := 24000; count > 0; count = count * 7 / 8 {
		object := metav1.ObjectMeta{Name: "most", Labels: manyLabels(count, "most"), Annotations: annotations}
		err := w.createWorkloadLike(namespace, object, "most", "10.200.1.1")
		if err == nil {
			err = w.createServiceLike(namespace, object, "most")
		}
		if err == nil {
			return count
		}
		w.Logf("%d labels are too many: %.200s", count, err)
		client := w.workloads.WorkloadV1beta1().ExternalWorkloads(namespace)
		_ = client.Delete(w.Context(), "most", metav1.DeleteOptions{})
	}
	w.Fatal("the API server accepts no labels")
	return 0
}

// manyLabels returns unique labels with values of the maximum length.
func manyLabels(count int, of string) map[string]string {
	labels := make(map[string]string, count)
	for i := range count {
		value := fmt.Sprintf("%s-%d-", of, i)
		labels[fmt.Sprintf("label-%d", i)] = value + strings.Repeat("x", validation.LabelValueMaxLength-len(value))
	}
	return labels
}
