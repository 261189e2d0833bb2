package endpointslice

import (
	"context"
	"time"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/external-workload/controller/pkg/plan"
)

const (
	// repairBurst is how many writes of others to the slices of one Service are
	// repaired at once.
	repairBurst = 20
	// repairInterval is how often one is repaired after that. Somebody who
	// changes slices twice in ten seconds never has to wait for it.
	repairInterval = 5 * time.Second
	// eventThreshold is the number of foreign writes before an Event is recorded;
	// fewer may be a manual edit or a write of another instance of this controller.
	eventThreshold = 3
	// eventThresholdUnnamed is the same while the writer is not known, such as one
	// that writes under our own name.
	eventThresholdUnnamed = 30
	// repairSteps is how many syncs one repair may take; a step more is a repair of
	// its own, so that somebody who writes between the steps is not fought.
	repairSteps = 4
	// quietPeriod is the time without a foreign write after which they are counted
	// from zero.
	quietPeriod = time.Minute
)

// contention is what is remembered of foreign writes to a Service's slices: that
// somebody else changed what we had published, and that we changed it back.
type contention struct {
	// repairs is the budget; nil while nothing was repaired.
	repairs *rate.Limiter
	// writes are those since the last quiet period; the last was seen at last.
	writes int
	last   time.Time
	// seen is what the slices looked like when they were last counted.
	seen evidence
	// lastManager is the field manager of the last write, if one was seen.
	lastManager string
	// backingOff is true once it was logged that repairs wait.
	backingOff bool
	// reported is true once an Event was recorded.
	reported bool
}

// evidence tells foreign writes apart: each raises the resourceVersion of a
// slice or takes one away.
type evidence struct {
	counted bool
	latest  string
	slices  int
}

// repair takes one repair from the budget, or tells how long it has to wait.
func (c *contention) repair(now time.Time) (wait time.Duration) {
	if c.repairs == nil {
		c.repairs = rate.NewLimiter(rate.Every(repairInterval), repairBurst)
	}
	reservation := c.repairs.ReserveN(now, 1)
	if wait = reservation.DelayFrom(now); wait > 0 {
		reservation.CancelAt(now)
	}
	return wait
}

// count takes a foreign write into account, and reports whether it is a new one.
func (c *contention) count(found []*discoveryv1.EndpointSlice, manager string, now time.Time) (isNew bool) {
	present := evidence{counted: true, slices: len(found)}
	for _, slice := range found {
		if newer(slice.ResourceVersion, present.latest) {
			present.latest = slice.ResourceVersion
		}
	}
	if present == c.seen {
		return false
	}
	if now.Sub(c.last) > quietPeriod {
		c.writes, c.backingOff = 0, false
	}
	c.seen, c.last, c.writes = present, now, c.writes+1
	c.name(manager)
	return true
}

// name takes note of who wrote, as far as that is known.
func (c *contention) name(manager string) {
	if manager != unknownWriter || c.lastManager == "" {
		c.lastManager = manager
	}
}

// report tells, once, whether so many writes were counted that somebody has to
// know. A writer is certain if it is not known by our own name only.
func (c *contention) report(certain bool) bool {
	if c.reported || c.writes < eventThreshold || !certain && c.writes < eventThresholdUnnamed {
		return false
	}
	c.reported = true
	return true
}

// detectForeignWrites reports whether a plan only repairs what somebody else
// changed: everything of ours was published and nothing has changed since. A
// Service that is gone or going does not count, since the garbage collector
// deletes its slices.
func (c *Controller) detectForeignWrites(s *serviceState, in input, next *plan.Plan) bool {
	if next.Empty() || in.service == nil || in.service.DeletionTimestamp != nil {
		return false
	}
	if s.repairing > 0 {
		// Somebody who takes our label away is seen only now: before, the slice
		// looked deleted.
		s.repairing++
		manager, _ := foreignManager(next, c.config.FieldManager)
		s.contention.name(manager)
	}
	return s.settled || s.repairing > repairSteps
}

// beginRepair takes note that what somebody else changed is changed back.
func (s *serviceState) beginRepair() {
	s.settled, s.repairing = false, 1
	s.contention.seen = evidence{}
}

// countForeignWrite tells metrics of a foreign write, and who it is if they go
// on: the Service's owner by an Event, the operator by one line for all Services.
func (c *Controller) countForeignWrite(ctx context.Context, key cache.ObjectName, s *serviceState, in input, next *plan.Plan, now time.Time) {
	manager, deleted := foreignManager(next, c.config.FieldManager)
	if !s.contention.count(in.slices, manager, now) {
		return
	}
	c.config.Observer.ForeignWrite()
	manager = s.contention.lastManager
	if s.contention.report(deleted || manager != unknownWriter && manager != c.config.FieldManager) {
		c.reportForeignWrites(ctx, key, in.service, manager)
	}
}

// reportForeignWrites says who else writes the slices of a Service.
func (c *Controller) reportForeignWrites(ctx context.Context, key cache.ObjectName, service *corev1.Service, manager string) {
	c.config.Events.Record(eventForeignWrites, serviceReference(service), nil,
		"field manager %q writes or deletes EndpointSlices of this Service that are managed by %q; what differs is repaired", manager, c.config.ManagedBy)
	if _, known := c.foreignManagers.LoadOrStore(manager, true); !known {
		klog.FromContext(ctx).Error(nil, "Another client writes or deletes the controller's EndpointSlices. If it is Linkerd's controller, set --take-over-lease; otherwise stop it, or set --managed-by to another value",
			"fieldManager", manager, "service", key)
	}
}

// logBackoff says once that repairs wait.
func (s *serviceState) logBackoff(ctx context.Context, wait time.Duration) {
	if s.contention.backingOff {
		return
	}
	s.contention.backingOff = true
	klog.FromContext(ctx).Info("Another client changes EndpointSlices repeatedly; repairs are delayed, other changes are not",
		"fieldManager", s.contention.lastManager, "wait", wait, "interval", repairInterval)
}

// unknownWriter is the name of a writer that is not known. A deletion leaves none.
const unknownWriter = "unknown"

// foreignManager returns a field manager, if possible not our own, that wrote one of
// the slices that a plan repairs, and reports whether it makes one again that was
// deleted.
func foreignManager(next *plan.Plan, own string) (manager string, deleted bool) {
	manager = unknownWriter
	for i := range next.Writes {
		write := &next.Writes[i]
		if write.Operation == plan.Create {
			deleted = true
			continue
		}
		if name := lastManager(write.Slice, own); name != unknownWriter && (manager == unknownWriter || manager == own) {
			manager = name
		}
	}
	return manager, deleted
}

// lastManager returns a field manager, if possible not our own, of a slice's last write.
func lastManager(slice *discoveryv1.EndpointSlice, own string) string {
	if len(slice.ManagedFields) == 0 {
		return unknownWriter
	}
	for i := range slice.ManagedFields {
		if manager := slice.ManagedFields[i].Manager; manager != own {
			return manager
		}
	}
	return own
}
