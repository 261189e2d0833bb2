package faults_test

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/test/faults"
)

// Fault: kill -9 between the two steps of a change.
// Promise: the next process continues from the actual slices and makes only the second step.
func TestKilledBetweenTheTwoStepsOfAChange(t *testing.T) {
	w := newParallelWorld(t)
	w.seed(w.namespace, 1, 3)
	c := w.alone()
	w.converges(time.Minute)

	// The process does not see its own first write, so it does not make the second.
	held := faults.Match{Verbs: []string{"watch"}, Resources: []string{"endpointslices"}}
	c.Proxy.Set(faults.Rule{Name: "hold", Match: held, Fault: faults.Fault{Hold: true}})
	c.Proxy.Cut()
	w.eventually(30*time.Second, "the watches are held", func() bool { return c.Proxy.Hits()["hold"] >= 2 })
	before := w.history.Len()
	w.move(w.namespace, workloadName(0, 0), "198.51.100.7")
	w.eventually(30*time.Second, "the first step", func() bool { return w.history.Len() > before })
	if !w.published(w.namespace, workloadName(0, 0), false) {
		t.Fatal("the first step does not withdraw the endpoint")
	}
	w.always(time.Second, "no second step while the first is not seen", func() error {
		if writes := w.history.Len() - before; writes != 1 {
			return fmt.Errorf("%d writes", writes)
		}
		return nil
	})

	c.Kill()
	c.Proxy.Clear()
	w.start(c)
	w.converges(30 * time.Second)
	if writes := w.history.Len() - before; writes != 2 {
		t.Errorf("the change took %d writes, want 2", writes)
	}
	if !w.published(w.namespace, workloadName(0, 0), true) {
		t.Error("the endpoint is not ready at its new address")
	}
}

// move changes a workload's address.
func (w *world) move(namespace, name, ip string) {
	w.Helper()
	client := w.workloads.WorkloadV1beta1().ExternalWorkloads(namespace)
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		workload, err := client.Get(w.Context(), name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		workload.Spec.WorkloadIPs = []v1beta1.WorkloadIP{{IP: ip}}
		_, err = client.Update(w.Context(), workload, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		w.Fatal(err)
	}
}
