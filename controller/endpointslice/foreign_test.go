package endpointslice

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/external-workload/controller/internal/build"
)

// spoil writes the one slice as somebody else, who takes its endpoints away. The
// fake API records no field managers.
func (w *world) spoil() {
	w.t.Helper()
	slice := w.slice().DeepCopy()
	slice.Endpoints = nil
	w.put(slice)
}

func TestOthersWhoWriteOurSlicesAreNamedOnce(t *testing.T) {
	inWorld(t, given(build.Service("shop/web"), build.Workload("shop/a")), func(w *world) {
		for range tellingUnnamed - 1 {
			w.spoil()
			w.pass(lastYield)
		}
		w.mustTell()
		for range 10 {
			w.spoil()
			w.pass(lastYield)
		}
		w.mustTell(`Service web: ForeignWrites: field manager "unknown" writes or deletes EndpointSlices of this Service that are managed by "linkerd-external-workloads-controller"; what differs is repaired`)
		w.pass(time.Hour)
		w.mustPublish("web IPv4 http:8080 | a 192.0.2.1")
	})
}

func TestOthersAreNotFought(t *testing.T) {
	inWorld(t, given(build.Service("shop/web"), build.Workload("shop/a")), func(w *world) {
		w.writes()
		const minutes = 10
		for range minutes * 60 * 2 {
			w.spoil()
			w.pass(500 * time.Millisecond)
		}
		if repairs, most := len(w.writes()), patience+minutes*60/int(lastYield/time.Second)+10; repairs > most {
			t.Errorf("%d repairs in %d minutes, want at most %d", repairs, minutes, most)
		}
		w.pass(lastYield)
		w.mustPublish("web IPv4 http:8080 | a 192.0.2.1")
		w.pass(2 * calm)
		w.writes()
		w.spoil()
		w.pass(time.Millisecond)
		w.mustWrite("update")
	})
}

func TestOthersWhoDeleteOurSlicesAreNeitherFoughtNorPassedOver(t *testing.T) {
	inWorld(t, given(build.Service("shop/web"), build.Workload("shop/a")), func(w *world) {
		w.writes()
		const minutes = 5
		for range minutes * 60 * 2 {
			if slices := w.slices(); len(slices) > 0 {
				w.remove("slice " + slices[0].Name)
			}
			w.pass(500 * time.Millisecond)
		}
		if repairs, most := len(w.writes()), patience+minutes*60/int(lastYield/time.Second)+10; repairs > most {
			t.Errorf("%d repairs in %d minutes, want at most %d", repairs, minutes, most)
		}
		w.mustTell(`Service web: ForeignWrites: field manager "unknown" writes or deletes EndpointSlices of this Service that are managed by "linkerd-external-workloads-controller"; what differs is repaired`)
		w.pass(lastYield)
		w.mustPublish("web IPv4 http:8080 | a 192.0.2.1")
	})
}

func TestOwnDeletionsAreNobodyElses(t *testing.T) {
	inWorld(t, given(build.Service("shop/web"), build.Workload("shop/a")), func(w *world) {
		for range 3 * telling {
			w.put(build.Service("shop/web", build.NoSelector()))
			w.pass(time.Second)
			w.mustPublish()
			w.put(build.Service("shop/web"))
			w.pass(time.Second)
			w.mustPublish("web IPv4 http:8080 | a 192.0.2.1")
		}
		w.remove("service web")
		w.pass(time.Second)
		w.do(func() {
			if w.foreign != 0 {
				t.Errorf("%d writes by others were counted, and there were none", w.foreign)
			}
		})
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
		"ours, and nobody else":   {[]metav1.ManagedFieldsEntry{entry("ours", 3), entry("a", 2)}, "ours"},
		"ours in the same second": {[]metav1.ManagedFieldsEntry{entry("ours", 2), entry("b", 2)}, "b"},
		"one without a time":      {[]metav1.ManagedFieldsEntry{{Manager: "a"}}, "unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			slice := build.Slice("shop/linkerd-external-web-1")
			slice.ManagedFields = test.entries
			keepLastWriters(slice)
			if got := otherWriter([]*discoveryv1.EndpointSlice{slice}, "ours"); got != test.want {
				t.Errorf("the other writer is %q, want %q", got, test.want)
			}
			if slices.ContainsFunc(slice.ManagedFields, func(e metav1.ManagedFieldsEntry) bool { return e.FieldsV1 != nil || e.Time != nil }) {
				t.Errorf("kept is %v, want names alone", slice.ManagedFields)
			}
		})
	}
}

// mustTell takes the Events since the last call.
func (w *world) mustTell(want ...string) {
	w.t.Helper()
	w.do(func() {
		if diff := cmp.Diff(want, w.events); diff != "" {
			w.t.Errorf("Events (-want +got)\n%s", diff)
		}
		w.events = nil
	})
}
