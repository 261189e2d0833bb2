package endpointslice

import (
	"testing"
	"testing/synctest"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"github.com/external-workload/controller/internal/build"
)

func TestFreshness(t *testing.T) {
	slice := func(uid, resourceVersion string, options ...build.SliceOption) *discoveryv1.EndpointSlice {
		s := build.Slice("shop/linkerd-external-web-1", options...)
		s.UID, s.ResourceVersion = types.UID(uid), resourceVersion
		return s
	}
	noLabel := build.NoLabels()
	for name, test := range map[string]struct {
		written []*discoveryv1.EndpointSlice
		deleted []types.UID
		found   []*discoveryv1.EndpointSlice
		seen    [informersOfSlices]string
		current bool
	}{
		"nothing was written":        {current: true},
		"a write is shown":           {written: []*discoveryv1.EndpointSlice{slice("a", "5")}, found: []*discoveryv1.EndpointSlice{slice("a", "5")}, seen: [3]string{"4", "1", "1"}, current: true},
		"a write is not shown":       {written: []*discoveryv1.EndpointSlice{slice("a", "5")}, found: []*discoveryv1.EndpointSlice{slice("a", "4")}, seen: [3]string{"9", "9", "9"}},
		"a later write is shown":     {written: []*discoveryv1.EndpointSlice{slice("a", "5")}, found: []*discoveryv1.EndpointSlice{slice("a", "6")}, current: true, seen: [3]string{"6", "1", "1"}},
		"one of two is not shown":    {written: []*discoveryv1.EndpointSlice{slice("a", "5"), slice("b", "6")}, found: []*discoveryv1.EndpointSlice{slice("a", "5")}, seen: [3]string{"5", "9", "9"}},
		"a new slice is missing":     {written: []*discoveryv1.EndpointSlice{slice("a", "5")}, seen: [3]string{"4", "9", "9"}},
		"another client deleted it":  {written: []*discoveryv1.EndpointSlice{slice("a", "5")}, seen: [3]string{"6", "1", "1"}, current: true},
		"one without label is shown": {written: []*discoveryv1.EndpointSlice{slice("a", "5", noLabel)}, found: []*discoveryv1.EndpointSlice{slice("a", "5", noLabel)}, seen: [3]string{"1", "1", "1"}, current: true},
		"one without label is gone":  {written: []*discoveryv1.EndpointSlice{slice("a", "5", noLabel)}, seen: [3]string{"1", "6", "1"}, current: true},
		"one without label is late":  {written: []*discoveryv1.EndpointSlice{slice("a", "5", noLabel)}, seen: [3]string{"9", "4", "9"}},
		"a deleted slice is shown":   {deleted: []types.UID{"a"}, found: []*discoveryv1.EndpointSlice{slice("a", "5")}, seen: [3]string{"9", "9", "9"}},
		"a deleted slice is gone":    {deleted: []types.UID{"a"}, seen: [3]string{"1", "1", "1"}, current: true},
	} {
		t.Run(name, func(t *testing.T) {
			var f freshness
			for _, written := range test.written {
				f.wrote(written, build.ManagedBy)
			}
			for _, uid := range test.deleted {
				f.removed(uid)
			}
			if _, current := f.behind(test.found, test.seen, build.Epoch); current != test.current {
				t.Errorf("the cache is current: %t, want %t", current, test.current)
			}
		})
	}
}

// The fault: after etcd was restored from a backup, resourceVersions were lower than
// before. A Service stayed stale for ever and was silently retried ten times a second.
func TestCacheThatNeverShowsOurWriteDoesNotBlock(t *testing.T) {
	inWorld(t, given(build.Service("shop/web"), build.Workload("shop/a")), func(w *world) {
		restored := w.slice().DeepCopy()
		restored.ResourceVersion = "999999999"
		state := w.controller.states.of(cache.NewObjectName("shop", "web"), time.Now())
		state.cache.wrote(restored, build.ManagedBy)
		w.syncs()
		w.put(build.Workload("shop/a", build.NotReady()))
		w.pass(staleLimit / 2)
		w.mustPublish("web IPv4 http:8080 | a 192.0.2.1")
		w.pass(staleLimit)
		w.mustPublish("web IPv4 http:8080 | a 192.0.2.1 not ready")
		if got := w.syncs()[resultStale]; got > 60 {
			t.Errorf("it was tried %d times in a minute", got)
		}
		w.put(build.Workload("shop/a"))
		w.pass(time.Second)
		w.mustPublish("web IPv4 http:8080 | a 192.0.2.1")
	})
}

// A stalled watch does not prevent a Service from being published either.
func TestStalledWatchDoesNotBlock(t *testing.T) {
	inWorld(t, given(build.Service("shop/web"), build.Workload("shop/a")), func(w *world) {
		release := w.api.Hold("endpointslices")
		w.put(build.Workload("shop/a", build.NotReady()))
		w.put(build.Workload("shop/a"))
		w.pass(2 * staleLimit)
		w.mustPublish("web IPv4 http:8080 | a 192.0.2.1")
		w.writes()
		release()
		synctest.Wait()
		w.pass(time.Minute)
		w.mustWrite()
		w.mustPublish("web IPv4 http:8080 | a 192.0.2.1")
	})
}

// The fault: the sync waited about a minute for a bookmark, because it only asked the
// informer of slices with our label whether it had seen the write.
func TestSliceWithoutOurLabelIsDeletedWithItsService(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		stray := build.Slice("shop/linkerd-external-web-1", build.NoLabels(), build.Endpoint("a", "192.0.2.1"))
		w.put(stray)
		w.mustWrite("update", "delete")
		w.mustPublish()
	})
}

// The fault: a slice with an empty managed-by label was in neither watch.
func TestSliceWithAnEmptyManagedByLabelIsFound(t *testing.T) {
	service := build.Service("shop/web")
	inWorld(t, given(service, build.Workload("shop/a")), func(w *world) {
		w.restart(func() {
			slice := w.slice().DeepCopy()
			slice.Labels[discoveryv1.LabelManagedBy] = ""
			w.put(slice)
		})
		w.mustPublish("web IPv4 http:8080 | a 192.0.2.1")
		if got := w.slice().Labels[discoveryv1.LabelManagedBy]; got != build.ManagedBy {
			t.Errorf("it is managed by %q", got)
		}
	})
}
