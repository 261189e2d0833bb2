package endpointslice

import (
	"slices"
	"sync"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/client-go/tools/cache"

	"github.com/external-workload/controller/pkg/desired"
	"github.com/external-workload/controller/pkg/plan"
)

// record is what is remembered of a Service from one sync to the next. None of
// it bears on what is published: only on when the cache may be trusted, on how
// old a change is, and on what has been told already.
type record struct {
	// trigger is when the oldest change was seen that is not published and that
	// no endpoint shows.
	trigger time.Time
	// since is when the Service was last found as desired.
	since time.Time
	// written is the resourceVersion of our last write.
	written string
	// foreign is the latest resourceVersion that somebody else gave one of the
	// slices after our last write.
	foreign string
	// stood are the slices that were there when the Service was last found as
	// desired, with what we wrote and without what we deleted since, sorted.
	stood []types.UID
	// lost are those of them that somebody else took away.
	lost map[types.UID]struct{}
	// dispute is about the writes of others.
	dispute dispute
	// deleted are the slices that we deleted and that the cache may still hold.
	deleted map[types.UID]struct{}
	// namesTaken is how many names for new slices belong to somebody else.
	namesTaken int
	// told are the workloads that Events said are skipped.
	told map[told]string
	// failing is the reason of the failure that an Event told of, or empty.
	failing string
}

// told is what an Event said of a workload.
type told struct {
	uid    types.UID
	reason desired.Reason
	family discoveryv1.AddressType
}

// records keep a record for each Service. They are safe for concurrent use.
type records struct {
	mu    sync.Mutex
	byKey map[cache.ObjectName]*record
}

func newRecords() *records { return &records{byKey: map[cache.ObjectName]*record{}} }

// with calls a function with the record of a Service, which it may change.
func (r *records) with(key cache.ObjectName, do func(*record)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	rec := r.byKey[key]
	if rec == nil {
		rec = &record{}
		r.byKey[key] = rec
	}
	do(rec)
}

// changed remembers that a change was seen.
func (r *records) changed(key cache.ObjectName, at time.Time) {
	r.with(key, func(rec *record) {
		if rec.trigger.IsZero() {
			rec.trigger = at
		}
	})
}

// options are what a plan has to know of the past.
func (r *records) options(key cache.ObjectName, maxEndpoints int) (o plan.Options) {
	r.with(key, func(rec *record) {
		o = plan.Options{MaxEndpoints: maxEndpoints, Trigger: rec.trigger, Since: rec.since, NamesTaken: rec.namesTaken}
	})
	return o
}

// settled remembers that a sync found or made everything as desired, with the
// changes of endpoints up to since and those seen up to trigger. Nothing needs to be
// remembered of a Service that is gone, with all its slices.
func (r *records) settled(key cache.ObjectName, trigger, since time.Time, gone bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	rec := r.byKey[key]
	if rec == nil {
		return
	}
	seenSince := !rec.trigger.Equal(trigger)
	if gone && !seenSince {
		delete(r.byKey, key)
		return
	}
	rec.since = since
	if !seenSince {
		rec.trigger = time.Time{}
	}
}

// wrote remembers a slice as a write of ours left it.
func (r *records) wrote(key cache.ObjectName, slice *discoveryv1.EndpointSlice) {
	r.with(key, func(rec *record) {
		if newer(slice.ResourceVersion, rec.written) {
			rec.written = slice.ResourceVersion
		}
		if at, known := slices.BinarySearch(rec.stood, slice.UID); !known {
			rec.stood = slices.Insert(rec.stood, at, slice.UID)
		}
	})
}

// deletes remembers that a slice was deleted.
func (r *records) deletes(key cache.ObjectName, uid types.UID) {
	r.with(key, func(rec *record) {
		if rec.deleted == nil {
			rec.deleted = map[types.UID]struct{}{}
		}
		rec.deleted[uid] = struct{}{}
		if at, known := slices.BinarySearch(rec.stood, uid); known {
			rec.stood = slices.Delete(rec.stood, at, at+1)
		}
	})
}

// stands remembers which slices a Service has that was found as desired.
func (r *records) stands(key cache.ObjectName, found []*discoveryv1.EndpointSlice) {
	r.with(key, func(rec *record) {
		rec.stood, rec.lost = rec.stood[:0], nil
		for _, slice := range found {
			rec.stood = append(rec.stood, slice.UID)
		}
		slices.Sort(rec.stood)
	})
}

// fresh tells whether a cache that has seen a resourceVersion, and holds these
// slices, has seen all our writes.
func (r *records) fresh(key cache.ObjectName, seen string, found []*discoveryv1.EndpointSlice) (fresh bool) {
	r.with(key, func(rec *record) {
		if seen != "" && newer(rec.written, seen) {
			return
		}
		for _, slice := range found {
			if _, gone := rec.deleted[slice.UID]; gone && slice.DeletionTimestamp == nil {
				return
			}
		}
		rec.deleted = nil
		fresh = true
	})
	return fresh
}

// others is what others did to a Service's slices.
type others struct {
	// written counts the slices that they wrote, taken those that they deleted
	// or made look so by taking a label away.
	written, taken int
	// returned is true if one that looked deleted is there again.
	returned bool
}

// foreignWrites tells what others did since we wrote last and this was asked, as
// far as the slices show that are found now. Of a Service to which we have not
// written yet, and which was not found as desired, nothing is known.
func (r *records) foreignWrites(key cache.ObjectName, found []*discoveryv1.EndpointSlice) (did others) {
	r.mu.Lock()
	defer r.mu.Unlock()
	rec := r.byKey[key]
	if rec == nil {
		return did
	}
	did.taken = rec.lose(found)
	if rec.written == "" {
		return did
	}
	latest := rec.foreign
	for _, slice := range found {
		if newer(slice.ResourceVersion, rec.written) && newer(slice.ResourceVersion, rec.foreign) {
			if _, counted := rec.lost[slice.UID]; counted {
				did.returned = true
			} else {
				did.written++
			}
			if newer(slice.ResourceVersion, latest) {
				latest = slice.ResourceVersion
			}
		}
	}
	rec.foreign = latest
	return did
}

// lose counts the slices that stood and are not found. Usually all are, which
// costs one look for each of them.
func (rec *record) lose(found []*discoveryv1.EndpointSlice) int {
	left := 0
	for _, slice := range found {
		if _, stood := slices.BinarySearch(rec.stood, slice.UID); stood {
			left++
		}
	}
	missing := len(rec.stood) - left
	if missing <= 0 {
		return 0
	}
	if rec.lost == nil {
		rec.lost = map[types.UID]struct{}{}
	}
	rec.stood = slices.DeleteFunc(rec.stood, func(uid types.UID) bool {
		if slices.ContainsFunc(found, func(s *discoveryv1.EndpointSlice) bool { return s.UID == uid }) {
			return false
		}
		rec.lost[uid] = struct{}{}
		return true
	})
	return missing
}

// newer tells whether resourceVersion a is later than b. One that cannot be
// compared is not.
func newer(a, b string) bool {
	if a == "" || b == "" {
		return a != ""
	}
	order, err := resourceversion.CompareResourceVersion(a, b)
	return err == nil && order > 0
}
