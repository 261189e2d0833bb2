package faults_test

import (
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/external-workload/controller/test/internal/controlplane"
)

// Fault: etcd is compacted while the controller is cut off, and the API server has no watch
// cache: it really answers the resumed watches with 410 Gone.
// Promise: the controller catches up and writes only changes.
func TestEtcdCompacted(t *testing.T) {
	plane := controlplane.ForTest(t, controlplane.Options{Flags: map[controlplane.Component][]string{
		// Each compaction keeps what was written since the previous one.
		controlplane.APIServer: {"--watch-cache=false", "--etcd-compaction-interval=1s"},
	}})
	if err := controlplane.InstallChartCRD(t.Context(), plane.AdminConfig()); err != nil {
		t.Fatal(err)
	}
	w := worldOn(t, plane)
	w.seed(w.namespace, 10, 5)
	c := w.alone()
	w.converges(time.Minute)
	before, began := w.level(c), w.history.Len()
	for range 3 {
		w.settle()
		listed, position := lists(c), w.position()
		c.Proxy.Freeze()
		c.Proxy.Cut()
		writes := len(sliceWrites(c))
		for s := range 3 {
			w.flip(w.namespace, workloadName(s, 0))
		}
		took := w.eventually(time.Minute, "the resourceVersion of the watches is compacted", func() bool { return w.gone(position) })
		c.Proxy.Thaw()
		t.Logf("compacted after %s, correct %s later", took, w.converges(time.Minute))
		if more := len(sliceWrites(c)) - writes; more != 3 {
			t.Errorf("three flips in three Services took %d writes, want 3", more)
		}
		if lists(c) == listed {
			t.Error("there was no new list, so the watches were resumed")
		}
	}
	w.nothingNeedless(began)
	w.backTo(c, before)
}

// position returns the current resourceVersion of workloads.
func (w *world) position() string {
	w.Helper()
	all, err := w.workloads.WorkloadV1beta1().ExternalWorkloads(w.namespace).List(w.Context(), metav1.ListOptions{})
	if err != nil {
		w.Fatal(err)
	}
	return all.ResourceVersion
}

// gone reports whether a watch from a resourceVersion is answered with 410 Gone.
func (w *world) gone(position string) bool {
	w.Helper()
	stream, err := w.workloads.WorkloadV1beta1().ExternalWorkloads(w.namespace).Watch(w.Context(), metav1.ListOptions{ResourceVersion: position})
	if err != nil {
		return apierrors.IsGone(err) || apierrors.IsResourceExpired(err)
	}
	defer stream.Stop()
	select {
	case event := <-stream.ResultChan():
		err := apierrors.FromObject(event.Object)
		return event.Type == watch.Error && (apierrors.IsGone(err) || apierrors.IsResourceExpired(err))
	case <-w.Context().Done():
		return false
	}
}
