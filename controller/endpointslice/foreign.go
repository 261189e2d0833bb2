package endpointslice

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
)

const (
	// telling is how many writes of others are no accident any more, such as
	// somebody's edit or a write of another instance of this controller.
	telling = 3
	// tellingUnnamed is the same while it cannot be told who it is: another who
	// writes under our own name.
	tellingUnnamed = 30
	// patience is how many writes of others are repaired at once.
	patience = 20
	// calm is the time without such a write after which patience is new.
	calm = time.Minute
	// firstYield is how long a Service is left alone when patience is at its
	// end. It doubles with each further repair, up to lastYield: whoever writes
	// the slices too, they are not rewritten many times a second.
	firstYield = time.Second
	lastYield  = 10 * time.Second
)

// dispute is what is remembered of the writes of others to a Service's slices.
type dispute struct {
	// writes and repairs are those since the last calm; the last write was seen
	// at last.
	writes, repairs int
	last            time.Time
	// manager is the field manager of the last write, if one was seen.
	manager string
	// until is when the next write may follow.
	until time.Time
	// told is true once an Event told of it.
	told bool
}

// see takes writes of others into account.
func (d *dispute) see(writes int, now time.Time) {
	if now.Sub(d.last) > calm {
		d.writes, d.repairs = 0, 0
	}
	d.writes, d.last = d.writes+writes, now
}

// repair takes into account that a write of somebody else is repaired.
func (d *dispute) repair(now time.Time) {
	d.repairs++
	if over := d.repairs - patience; over > 0 {
		d.until = now.Add(min(firstYield<<min(over-1, 10), lastYield))
	}
}

// yields is for how long a Service is to be left alone.
func (c *Controller) yields(key cache.ObjectName, now time.Time) (left time.Duration) {
	c.records.with(key, func(rec *record) { left = rec.dispute.until.Sub(now) })
	return left
}

// meetOthers counts the writes of others to the slices that a sync found, and
// the slices that others deleted, and says once who it is, if they go on: to the
// Service's owner by an Event, to the operator by one line for all Services.
func (c *Controller) meetOthers(ctx context.Context, key cache.ObjectName, in input, now time.Time) (found bool) {
	did := c.records.foreignWrites(key, in.slices)
	if in.service == nil || did == (others{}) {
		return did.written > 0 // without their Service, slices are collected as garbage
	}
	for range did.written + did.taken {
		c.config.Observer.ForeignWrite()
	}
	manager, tell := "", false
	c.records.with(key, func(rec *record) {
		d := &rec.dispute
		if did.written > 0 || did.returned {
			d.manager = otherWriter(in.slices, c.config.FieldManager)
		}
		manager = cmp.Or(d.manager, unknownWriter)
		d.see(did.written+did.taken, now)
		sure := did.taken > 0 || manager != unknownWriter && manager != c.config.FieldManager
		tell = !d.told && (sure && d.writes >= telling || d.writes >= tellingUnnamed)
		d.told = d.told || tell
	})
	if tell {
		c.tellOthers(ctx, key, in.service, manager)
	}
	return true
}

// tellOthers says who else writes the slices of a Service.
func (c *Controller) tellOthers(ctx context.Context, key cache.ObjectName, service *corev1.Service, manager string) {
	c.config.Events.Record(eventForeignWrites, serviceReference(service), nil,
		"field manager %q writes or deletes EndpointSlices of this Service that are managed by %q; what differs is repaired", manager, c.config.ManagedBy)
	if _, known := c.others.LoadOrStore(manager, true); !known {
		klog.FromContext(ctx).Error(nil, "Somebody else writes or deletes our EndpointSlices. If it is Linkerd's controller, give --take-over-lease; otherwise stop it, or give --managed-by another value",
			"fieldManager", manager, "service", key)
	}
}

// unknownWriter is the name of a writer that is not known. A deletion leaves none.
const unknownWriter = "unknown"

// otherWriter is a field manager, if possible not our own, that wrote the latest
// of the slices.
func otherWriter(all []*discoveryv1.EndpointSlice, own string) string {
	var last *discoveryv1.EndpointSlice
	for _, slice := range all {
		if last == nil || newer(slice.ResourceVersion, last.ResourceVersion) {
			last = slice
		}
	}
	if last == nil || len(last.ManagedFields) == 0 {
		return unknownWriter
	}
	for i := range last.ManagedFields {
		if manager := last.ManagedFields[i].Manager; manager != own {
			return manager
		}
	}
	return own
}

// keepLastWriters leaves of a slice's field managers the names of those that
// wrote in the second of the last write.
func keepLastWriters(slice *discoveryv1.EndpointSlice) {
	var last metav1.Time
	for i := range slice.ManagedFields {
		if at := slice.ManagedFields[i].Time; at != nil && last.Before(at) {
			last = *at
		}
	}
	var names []string
	for i := range slice.ManagedFields {
		if entry := &slice.ManagedFields[i]; entry.Time != nil && entry.Time.Equal(&last) && !slices.Contains(names, entry.Manager) {
			names = append(names, entry.Manager)
		}
	}
	slice.ManagedFields = namesOnly(names)
}

// namesOnly makes entries that hold names. All cached slices with the same
// names share them; there are few, as few programs write slices of ours.
func namesOnly(names []string) []metav1.ManagedFieldsEntry {
	if len(names) == 0 {
		return nil
	}
	key := strings.Join(names, "\n")
	if known, found := writers.Load(key); found {
		return known.([]metav1.ManagedFieldsEntry)
	}
	var entries []metav1.ManagedFieldsEntry
	for _, name := range names {
		entries = append(entries, metav1.ManagedFieldsEntry{Manager: name})
	}
	known, _ := writers.LoadOrStore(key, entries)
	return known.([]metav1.ManagedFieldsEntry)
}

// writers are the entries of namesOnly by their names.
var writers sync.Map
