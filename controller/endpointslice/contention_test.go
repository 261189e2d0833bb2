package endpointslice

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/plan"
)

// spoil removes the endpoints of the only slice as another client. The fake API records
// no field managers.
func (w *world) spoil() {
	w.t.Helper()
	slice := w.slice().DeepCopy()
	slice.Endpoints = nil
	w.put(slice)
}

// annotate writes the only slice as another client that changes nothing of ours.
func (w *world) annotate(value string) {
	w.t.Helper()
	slice := w.slice().DeepCopy()
	slice.Annotations["note"] = value
	w.put(slice)
}

// mustCountForeign compares the number of foreign writes that were counted.
func (w *world) mustCountForeign(want int) {
	w.t.Helper()
	w.do(func() {
		if w.foreign != want {
			w.t.Errorf("%d foreign writes were counted, want %d", w.foreign, want)
		}
	})
}

const foreignWritesEvent = `Service web: ForeignWrites: field manager "unknown" writes or deletes EndpointSlices of this Service that are managed by "linkerd-external-workloads-controller"; what differs is repaired`

func TestForeignWritersAreNamedOnce(t *testing.T) {
	inWorld(t, given(build.Service("shop/web"), build.Workload("shop/a")), func(w *world) {
		for range eventThresholdUnnamed - 1 {
			w.spoil()
			w.pass(repairInterval)
		}
		w.mustRecord()
		for range 10 {
			w.spoil()
			w.pass(repairInterval)
		}
		w.mustRecord(foreignWritesEvent)
		w.mustCountForeign(eventThresholdUnnamed + 9)
		w.pass(time.Hour)
		w.mustPublish("web IPv4 http:8080 | a 192.0.2.1")
	})
}

func TestForeignWritersAreNotFought(t *testing.T) {
	inWorld(t, given(build.Service("shop/web"), build.Workload("shop/a")), func(w *world) {
		w.writes()
		const minutes = 10
		for range minutes * 60 * 2 {
			w.spoil()
			w.pass(500 * time.Millisecond)
		}
		if repairs, most := len(w.writes()), repairBurst+minutes*60/int(repairInterval/time.Second)+1; repairs > most {
			t.Errorf("%d repairs in %d minutes, want at most %d", repairs, minutes, most)
		}
		w.pass(repairInterval)
		w.mustPublish("web IPv4 http:8080 | a 192.0.2.1")
	})
}

// The bound that docs/reliability.md states.
func TestTwoForeignWritesInTenSecondsAreAlwaysRepairedAtOnce(t *testing.T) {
	inWorld(t, given(build.Service("shop/web"), build.Workload("shop/a")), func(w *world) {
		for range 1000 {
			w.spoil()
			w.mustPublish("web IPv4 http:8080 | a 192.0.2.1")
			w.pass(repairInterval)
		}
	})
}

func TestFasterForeignWritesAreRepairedEveryFiveSeconds(t *testing.T) {
	inWorld(t, given(build.Service("shop/web"), build.Workload("shop/a")), func(w *world) {
		for range repairBurst {
			w.spoil()
		}
		w.writes()
		last := time.Now()
		for range 600 {
			w.spoil()
			w.pass(100 * time.Millisecond)
			if len(w.writes()) > 0 {
				last = time.Now()
			}
			if wrong := time.Since(last); wrong > repairInterval {
				t.Fatalf("nothing was repaired for %s, want at most %s", wrong, repairInterval)
			}
		}
	})
}

func TestRepairBudgetRefills(t *testing.T) {
	inWorld(t, given(build.Service("shop/web"), build.Workload("shop/a")), func(w *world) {
		for range 100 {
			w.spoil()
		}
		w.pass((repairBurst + 1) * repairInterval)
		w.writes()
		for range repairBurst {
			w.spoil()
			w.mustWrite("update")
		}
	})
}

// The fault: while the controller backed off from a Service's foreign writers, its own
// changes waited for up to 10 s, and a client that only annotates caused a backoff too.
func TestOwnChangesNeverWait(t *testing.T) {
	for name, meanwhile := range map[string]func(*world, int){
		"somebody rewrites the slice":  func(w *world, _ int) { w.spoil() },
		"somebody annotates the slice": func(w *world, i int) { w.annotate(time.Duration(i).String()) },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, given(build.Service("shop/web"), build.Workload("shop/a")), func(w *world) {
				for i := range 2 * repairBurst {
					meanwhile(w, i)
				}
				for range 10 {
					w.put(build.Workload("shop/a", build.NotReady()))
					w.mustPublish("web IPv4 http:8080 | a 192.0.2.1 not ready")
					meanwhile(w, -1)
					w.put(build.Workload("shop/a"))
					w.mustPublish("web IPv4 http:8080 | a 192.0.2.1")
					meanwhile(w, -2)
				}
			})
		})
	}
}

func TestWritesThatChangeNothingOfOursAreNotForeign(t *testing.T) {
	inWorld(t, given(build.Service("shop/web"), build.Workload("shop/a")), func(w *world) {
		w.writes()
		for i := range 100 {
			w.annotate(time.Duration(i).String())
		}
		w.pass(time.Minute)
		w.mustWrite()
		w.mustCountForeign(0)
		w.mustRecord()
	})
}

func TestForeignDeletionsAreRepairedAtABoundedRate(t *testing.T) {
	inWorld(t, given(build.Service("shop/web"), build.Workload("shop/a")), func(w *world) {
		w.writes()
		const minutes = 5
		for range minutes * 60 * 2 {
			if slices := w.slices(); len(slices) > 0 {
				w.remove("slice " + slices[0].Name)
			}
			w.pass(500 * time.Millisecond)
		}
		if repairs, most := len(w.writes()), repairBurst+minutes*60/int(repairInterval/time.Second)+1; repairs > most {
			t.Errorf("%d repairs in %d minutes, want at most %d", repairs, minutes, most)
		}
		w.mustRecord(foreignWritesEvent)
		w.pass(repairInterval)
		w.mustPublish("web IPv4 http:8080 | a 192.0.2.1")
	})
}

// The fault: deletions by the garbage collector, the namespace controller and this
// controller counted as foreign writes.
func TestExpectedDeletionsAreNotForeign(t *testing.T) {
	for name, change := range map[string]func(*world){
		"the selector of a Service is removed and restored": func(w *world) {
			for range 3 * eventThreshold {
				w.put(build.Service("shop/web", build.NoSelector()))
				w.pass(time.Second)
				w.put(build.Service("shop/web"))
				w.pass(time.Second)
			}
		},
		"a Service is deleted, and the garbage collector deletes its slices": func(w *world) {
			name := w.slice().Name
			release := w.api.Hold("endpointslices")
			w.remove("service web")
			if len(w.slices()) > 0 {
				w.remove("slice " + name)
			}
			release()
		},
		"a Service is being deleted, and the garbage collector deletes its slices first": func(w *world) {
			going := build.Service("shop/web")
			going.DeletionTimestamp, going.Finalizers = ptr.To(metav1.Now()), []string{"foregroundDeletion"}
			w.put(going)
			w.remove("slice " + w.slice().Name)
		},
		"a Service is recreated under its name, and the garbage collector deletes the old slices": func(w *world) {
			old := w.slice().Name
			release := w.api.Hold("endpointslices")
			w.remove("service web")
			w.put(build.Service("shop/web", build.UID("new")))
			if slices.ContainsFunc(w.slices(), func(s discoveryv1.EndpointSlice) bool { return s.Name == old }) {
				w.remove("slice " + old)
			}
			release()
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, given(build.Service("shop/web"), build.Workload("shop/a")), func(w *world) {
				change(w)
				w.pass(time.Minute)
				w.mustCountForeign(0)
				w.mustRecord()
			})
		})
	}
}

// A refresh marks the slice so that an endpoint is announced again. That is a request
// and not a foreign write.
func TestRequestedRefreshIsNotForeign(t *testing.T) {
	inWorld(t, given(build.Service("shop/web"), build.Workload("shop/a")), func(w *world) {
		for range 3 * eventThreshold {
			marked := w.slice().DeepCopy()
			marked.Annotations[plan.IdentitiesAnnotation] = plan.RequestRefresh(marked, 0, func(string) string { return "" })
			w.put(marked)
			w.pass(time.Second)
			if plan.RefreshRequested(w.slice()) {
				t.Fatal("the mark is still set: the endpoint was not announced again")
			}
		}
		w.mustCountForeign(0)
		w.mustRecord()
		w.mustPublish("web IPv4 http:8080 | a 192.0.2.1")
	})
}

func TestOnlyTheNamesOfTheLastWritersAreKept(t *testing.T) {
	entry := func(manager string, second int64) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: manager, Time: &metav1.Time{Time: time.Unix(second, 0)}, FieldsV1: &metav1.FieldsV1{}}
	}
	for name, test := range map[string]struct {
		entries []metav1.ManagedFieldsEntry
		want    string
	}{
		"nobody is known":         {nil, "unknown"},
		"the only one":            {[]metav1.ManagedFieldsEntry{entry("a", 1)}, "a"},
		"the latest":              {[]metav1.ManagedFieldsEntry{entry("a", 1), entry("b", 3), entry("c", 2)}, "b"},
		"only ours":               {[]metav1.ManagedFieldsEntry{entry("ours", 3), entry("a", 2)}, "ours"},
		"ours in the same second": {[]metav1.ManagedFieldsEntry{entry("ours", 2), entry("b", 2)}, "b"},
		"one without a time":      {[]metav1.ManagedFieldsEntry{{Manager: "a"}}, "unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			slice := build.Slice("shop/linkerd-external-web-1")
			slice.ManagedFields = test.entries
			keepLastWriters(slice)
			if got := lastManager(slice, "ours"); got != test.want {
				t.Errorf("the other writer is %q, want %q", got, test.want)
			}
			if slices.ContainsFunc(slice.ManagedFields, func(e metav1.ManagedFieldsEntry) bool { return e.FieldsV1 != nil || e.Time != nil }) {
				t.Errorf("kept %v, want only names", slice.ManagedFields)
			}
		})
	}
}

// mustRecord compares the Events recorded since the last call.
func (w *world) mustRecord(want ...string) {
	w.t.Helper()
	w.do(func() {
		if diff := cmp.Diff(want, w.events); diff != "" {
			w.t.Errorf("Events (-want +got)\n%s", diff)
		}
		w.events = nil
	})
}
