package endpointslice

import (
	"slices"
	"sync"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
)

const (
	// staleRetry is when a sync with a stale cache is retried, if no event triggers it
	// earlier. The interval grows while the cache stays stale.
	staleRetry = 100 * time.Millisecond
	// staleLimit is how long a cache may lack our own write. A working watch delivers
	// it within milliseconds. It does not arrive if the watch stalls, or if etcd was
	// restored from a backup, because resourceVersions then went back.
	staleLimit = time.Minute
)

// freshness records which of our writes the cache must contain before it may be read.
// The mutex is needed because writes of one plan may end at the same time.
type freshness struct {
	mu      sync.Mutex
	awaited []awaitedWrite
	deleted []types.UID
	// staleSince is when the cache was found stale; zero if it is not.
	staleSince time.Time
}

// awaitedWrite is a slice after one of our writes.
type awaitedWrite struct {
	uid             types.UID
	resourceVersion string
	// shownBy is the index of the informer that watches it.
	shownBy int
}

// wrote records a slice that was written.
func (f *freshness) wrote(slice *discoveryv1.EndpointSlice, managedBy string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.await(slice, managedBy)
}

func (f *freshness) await(slice *discoveryv1.EndpointSlice, managedBy string) {
	write := awaitedWrite{slice.UID, slice.ResourceVersion, informerOf(slice, managedBy)}
	at := slices.IndexFunc(f.awaited, func(w awaitedWrite) bool { return w.uid == slice.UID })
	if at < 0 {
		f.awaited = append(f.awaited, write)
	} else {
		f.awaited[at] = write
	}
}

// removed records a slice that was deleted.
func (f *freshness) removed(uid types.UID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.deleted = append(f.deleted, uid)
}

// looked records slices that were read from the API server, which the cache must then
// contain.
func (f *freshness) looked(found []*discoveryv1.EndpointSlice, managedBy string, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.awaited, f.deleted, f.staleSince = nil, nil, now
	for _, slice := range found {
		f.await(slice, managedBy)
	}
}

// behind returns how long the cache has lacked our writes; it lacks none if current is
// true. found are the cached slices, and seen is the resourceVersion of each informer
// before they were read.
func (f *freshness) behind(found []*discoveryv1.EndpointSlice, seen [informersOfSlices]string, now time.Time) (since time.Duration, current bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.shown(found, seen) {
		f.awaited, f.deleted, f.staleSince = nil, nil, time.Time{}
		return 0, true
	}
	if f.staleSince.IsZero() {
		f.staleSince = now
	}
	return now.Sub(f.staleSince), false
}

func (f *freshness) shown(found []*discoveryv1.EndpointSlice, seen [informersOfSlices]string) bool {
	for _, slice := range found {
		if slice.DeletionTimestamp == nil && slices.Contains(f.deleted, slice.UID) {
			return false
		}
	}
	for _, write := range f.awaited {
		reached := seen[write.shownBy]
		if at := slices.IndexFunc(found, func(s *discoveryv1.EndpointSlice) bool { return s.UID == write.uid }); at >= 0 {
			reached = found[at].ResourceVersion
		}
		if reached != "" && newer(write.resourceVersion, reached) {
			return false
		}
	}
	return true
}

// newer reports whether resourceVersion a is later than b; false if they cannot be
// compared.
func newer(a, b string) bool {
	if a == "" || b == "" {
		return a != ""
	}
	order, err := resourceversion.CompareResourceVersion(a, b)
	return err == nil && order > 0
}
