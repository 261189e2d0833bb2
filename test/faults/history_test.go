package faults_test

import (
	"net/http"
	"testing"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/external-workload/controller/test/faults"
)

// Two changes of a slice are seen as one, which looks like a needless write, where
// the watch that records them had to list again, however long the API server has
// been back.
func TestHistoryReportsThatItListedAgain(t *testing.T) {
	w := newParallelWorld(t)
	slices := w.kube.DiscoveryV1().EndpointSlices(w.namespace)
	slice, err := slices.Create(t.Context(), &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: "recorded"},
		AddressType: discoveryv1.AddressTypeIPv4,
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	proxy, err := faults.NewProxy(t.Context(), w.config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Close)
	history, err := faults.Record(t.Context(), proxy.Config(), w.namespace)
	if err != nil {
		t.Fatal(err)
	}
	writeTwice := func() {
		t.Helper()
		for _, label := range []string{"changed", "back"} {
			slice.Labels = map[string]string{"test": label}
			if slice, err = slices.Update(t.Context(), slice, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	catchUp := func() {
		t.Helper()
		if err := history.CatchUp(t.Context(), w.kube.DiscoveryV1(), w.namespace); err != nil {
			t.Fatal(err)
		}
	}

	writeTwice()
	catchUp()
	if changes, gaps := history.Drain(); len(changes) != 2 || gaps {
		t.Errorf("with a watch that goes on: %d changes, gaps %t, want 2 and none", len(changes), gaps)
	}

	proxy.Set(faults.Rule{Name: "gone", Match: faults.Watches(), Times: 1, Fault: faults.Fault{Status: http.StatusGone}})
	proxy.Cut()
	w.eventually(time.Minute, "the watch is answered with 410", func() bool { return proxy.Hits()["gone"] > 0 })
	writeTwice()
	catchUp()
	if changes, gaps := history.Drain(); !gaps {
		t.Errorf("after a watch that was answered with 410: %d changes without a gap, want gaps", len(changes))
	}
	if _, gaps := history.Drain(); gaps {
		t.Error("a gap was reported twice")
	}
}
